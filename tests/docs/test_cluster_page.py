"""The way to a cluster: every command and block of it runs up to the submission, and the README shows a part of it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any, Final

import flyte
import pytest
import yaml
from flyteidl2.imagebuilder.definition_pb2 import ImageSpec

from examples import cluster
from flyte_wandb import preview
from tests.checkout import ROOT, SCRIPTS, process_environ
from tests.cli.running import run
from tests.control_plane import REGISTRY, RUN_NAME, ControlPlane, control_plane
from tests.docs.pages import blocks
from tests.programs import run_python

PAGE: Final = "docs/on-a-cluster.md"
EXAMPLE: Final = ROOT / "examples" / "cluster.py"
KEY: Final = "k" * 40
LINK: Final = "/team/vision/runs/{{.runName}}-{{.actionName}}"


def code_with(words: str, page: str = PAGE) -> str:
    (found,) = (block.text for block in blocks(page) if block.kind == "python" and words in block.text)
    return found


def commands(page: str) -> list[str]:
    """The commands of a page that have to do with Flyte, one a line."""
    lines = [line for block in blocks(page) if block.kind == "console" for line in block.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.search(r"flyte create|examples/cluster", line)]


def typed(command: str, folder: Path, plane: ControlPlane) -> subprocess.CompletedProcess[str]:
    """Run a command of a page as it is typed, with the address of a control plane in place of the page's."""
    words = shlex.split(command.replace("dns:///flyte.example.com", f"{plane.address} --insecure"))
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    program, *arguments = words[len(variables) :]
    if "secret" in arguments:  # asks for the key
        options: dict[str, Any] = {"cwd": folder, "env": process_environ(folder), "capture_output": True, "text": True}
        return subprocess.run([str(SCRIPTS / program), *arguments], input=f"{KEY}\n", **options)
    if program == "python":
        return run_python(str(folder / arguments[0]), folder=folder, environ=process_environ(folder))
    return run(*arguments, program=program, folder=folder, environ={"COLUMNS": "200", **variables})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "examples")
    return tmp_path


def test_the_program_is_the_example_and_the_readme_shows_a_part_of_it() -> None:
    assert code_with("init_from_config") == EXAMPLE.read_text()
    assert code_with("secrets=", "README.md") in EXAMPLE.read_text()
    assert [command for command in commands("README.md") if command not in commands(PAGE)] == []


def test_the_commands_reach_the_cluster_with_key_image_code_and_link(folder: Path) -> None:
    with control_plane() as plane:
        for command in commands(PAGE):
            result = typed(command, folder, plane)
            assert result.returncode == 0, (command, result.stdout, result.stderr)
            if command.startswith(("flyte run examples", "python")):
                assert f"/runs/{RUN_NAME}" in result.stdout, result.stdout
    assert plane.secrets == {"wandb-api-key": KEY}
    assert len(plane.runs) == 2
    for request in plane.runs:
        template = request.task_spec.task_template
        assert (request.project_id.name, request.project_id.domain) == ("flytesnacks", "development")
        assert template.id.name == "vision.train"
        assert template.container.image.startswith(f"{REGISTRY}/vision:")
        (secret,) = template.security_context.secrets
        assert (secret.key, secret.env_var) == ("wandb-api-key", "WANDB_API_KEY")
        (link,) = template.metadata.log_links
        assert link.name == "Weights & Biases"
        assert link.uri.endswith(LINK)
    assert len(plane.uploads) == 1  # the code, which the second run has in common with the first


def write_config(folder: Path, plane: ControlPlane) -> None:
    """Write what `flyte create config` does."""
    (folder / ".flyte").mkdir()
    config = {
        "admin": {"endpoint": f"dns:///{plane.address.removeprefix('http://')}", "insecure": True},
        "image": {"builder": "remote"},
        "task": {"project": "flytesnacks", "domain": "development", "org": "org"},
    }
    (folder / ".flyte" / "config.yaml").write_text(yaml.safe_dump(config))


def wheel_folder(folder: Path) -> Path:
    (folder / "dist").mkdir()
    (wheel,) = re.findall(r"dist/[\w.-]+\.whl", code_with("with_source_file"))
    (folder / wheel).write_bytes(b"a wheel")
    return folder


@pytest.mark.parametrize("kind", ["released", "wheel"])
def test_an_image_that_is_not_there_is_to_be_built_with_the_package(kind: str, folder: Path) -> None:
    """The builder of a cluster gets its layers; it is a task of Flyte's, which this control plane does not have."""
    program = EXAMPLE.read_text()
    if kind == "wheel":
        wheel_folder(folder)
        image = code_with("with_source_file") + "\n\n"
        program = image + re.sub(r"image=.*,\n", "image=image,\n", program)
    (folder / "examples" / "cluster.py").write_text(program)
    with control_plane(has_images=False) as plane:
        write_config(folder, plane)
        result = typed("flyte run examples/cluster.py train", folder, plane)
    assert (result.returncode, plane.runs) == (1, [])
    layers = ImageSpec.FromString(plane.uploads["spec.pb"]).layers
    if kind == "released":
        assert [list(layer.pip_packages.packages) for layer in layers] == [["flyte-wandb"]]
    else:
        copied, installed = layers
        assert copied.copy_config.dst == "/wheels/"
        (command,) = installed.commands.cmd
        assert command.startswith("uv pip install --python $UV_PYTHON /wheels/flyte_wandb-")
        assert "context.tar.gz" in plane.uploads


def test_the_way_to_try_it_without_a_cluster_works(tmp_path: Path) -> None:
    names: dict[str, Any] = {"train": cluster.train}
    exec(code_with("def test_training"), names)
    names["test_training"](tmp_path)


def test_the_preflight_runs_in_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{SCRIPTS}:/usr/bin:/bin")
    (indented,) = re.findall(r"^    ```python\n(.*?)^    ```", (ROOT / PAGE).read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"env": flyte.TaskEnvironment(name="preflight")}
    exec(textwrap.dedent(indented), names)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "A run can start." in names["check"].forward()


def test_the_task_of_many_ranks_and_the_other_secret_are_as_the_page_says() -> None:
    names: dict[str, Any] = {"flyte": flyte}
    exec(code_with("Elastic"), names)
    assert preview(names["train"]).summary == "1 run, 1 link (15 ranks without a run)"
    exec(code_with("team-wandb-key"), names)
    assert (names["secrets"].key, names["secrets"].as_env_var) == ("team-wandb-key", "WANDB_API_KEY")
