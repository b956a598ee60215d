"""What is in the wheel and the sdist, built with the project's own settings, and what an index would show of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest
from readme_renderer.markdown import render

from hatch_build import absolute_links, project_urls
from tests.checkout import ROOT, process_environ
from tests.plugins.environments import environments

ADDRESS = "https://github.com/team/flyte-wandb"
PACKAGES = {"flyte_wandb", "flyte_wandb_hookspecs", "flyte_wandb_builtin_strategies"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, the wheel made from the sdist as pip would."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_wheel_holds_the_three_packages_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def wheel_text(built: Path, name: str) -> str:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        (found,) = (one for one in wheel.namelist() if one.endswith(f".dist-info/{name}"))
        return wheel.read(found).decode()


@pytest.fixture(scope="module")
def metadata(built: Path) -> Message:
    return HeaderParser().parsestr(wheel_text(built, "METADATA"))


def test_the_wheel_registers_the_built_ins_like_any_plugin(built: Path) -> None:
    groups = dict(re.findall(r"^\[(.+)\]\n(.+)", wheel_text(built, "entry_points.txt"), re.MULTILINE))
    assert groups == {
        "console_scripts": "flyte-wandb = flyte_wandb.cli:main",
        "flyte.plugins.cli.commands": "wandb = flyte_wandb.cli:main",
        "flyte_wandb": "builtin = flyte_wandb_builtin_strategies",
        "pytest11": "flyte_wandb = flyte_wandb._pytest_plugin",
    }


def test_the_metadata_says_what_it_is_and_needs(metadata: Message) -> None:
    assert metadata["Name"] == "flyte-wandb"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    needed = {re.split(r"[^\w-]", line)[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {"flyte", "pluggy", "wandb"} <= needed
    assert not {"torch", "pytest", "flyteplugins-pytorch"} & needed


def test_an_index_takes_both_and_renders_the_description(built: Path, metadata: Message) -> None:
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, sorted(built.iterdir()))]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout.count("PASSED")) == (0, 2), result.stdout + result.stderr
    assert metadata["Description-Content-Type"] == "text/markdown"
    rendered = render(str(metadata.get_payload()))
    assert rendered is not None, "readme-renderer has no Markdown here"
    assert re.search(r"<h1[^>]*>flyte-wandb<", rendered)
    assert rendered.count("<table>") >= 1


def links(markdown: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL))


def test_no_link_of_the_description_leads_nowhere_on_an_index(metadata: Message) -> None:
    description = str(metadata.get_payload())
    headings = {re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in description.splitlines()}
    found = links(description)
    assert [one for one in found if not re.match("https://|#", one)] == []
    assert [one for one in found if one[0] == "#" and one[1:] not in {name.lstrip("-") for name in headings}] == []


def test_one_address_in_pyproject_gives_the_package_all_of_its_links(tmp_path: Path) -> None:
    """Metadata of a copy of what builds them, in which the address is known."""
    for name in ("hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    text = (ROOT / "pyproject.toml").read_text()
    known = re.sub(r'(?m)^address = ".*"$', f'address = "{ADDRESS}"', text)
    (tmp_path / "pyproject.toml").write_text(known)
    command = [sys.executable, "-m", "hatchling", "metadata"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    metadata = json.loads(result.stdout)
    assert metadata["urls"] == project_urls(ADDRESS)
    assert f"$ git clone {ADDRESS} flyte-wandb" in metadata["readme"]["text"]
    prefixes = tuple(f"{ADDRESS}/{kind}/v{metadata['version']}/" for kind in ("blob", "raw", "tree"))
    own = [one for one in links(metadata["readme"]["text"]) if one.startswith(ADDRESS)]
    targets = [one.removeprefix(prefix) for one in own for prefix in prefixes if one.startswith(prefix)]
    assert len(targets) == len(own) > 20
    assert [one for one in targets if not (ROOT / one.partition("#")[0]).exists()] == []


@pytest.mark.parametrize(
    ("link", "known", "unknown"),
    [
        ("[a](docs/b.md#c)", f"[a]({ADDRESS}/blob/v1/docs/b.md#c)", "a"),
        ("[a](examples/plugins)", f"[a]({ADDRESS}/tree/v1/examples/plugins)", "a"),
        ("![a](docs/b.png)", f"![a]({ADDRESS}/raw/v1/docs/b.png)", ""),
        ("[a](https://example.com) [b](#c)", "[a](https://example.com) [b](#c)", "[a](https://example.com) [b](#c)"),
    ],
)
def test_a_link_is_absolute_or_its_text(link: str, known: str, unknown: str) -> None:
    assert (absolute_links(link, ADDRESS, "v1"), absolute_links(link, "", "v1")) == (known, unknown)


def unpacked(built: Path, folder: Path) -> Path:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(folder, filter="data")
    (project,) = folder.iterdir()
    return project


def test_the_sdist_holds_what_builds_the_wheel_and_nothing_else(built: Path, tmp_path: Path) -> None:
    project = unpacked(built, tmp_path)
    assert {path.name for path in project.iterdir()} == {
        "flyte_wandb",
        "hookspecs",
        "builtin_strategies",
        "CHANGELOG.md",
        "hatch_build.py",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }
    for root in ("hookspecs", "builtin_strategies"):
        assert {path.name for path in (project / root).iterdir()} == {f"flyte_wandb_{root}"}
    assert list(project.rglob("__pycache__")) == []


def test_an_installed_sdist_works(built: Path, tmp_path: Path) -> None:
    project = unpacked(built, tmp_path / "sdist")
    python = environments(tmp_path)(project)
    code = (
        "import flyte_wandb.cli as cli; print(cli.__file__); cli.main(['plan', '--nodes', '1'], standalone_mode=False)"
    )
    result = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True)
    file, *lines = result.stdout.splitlines()
    assert Path(file).is_relative_to(python.parents[1]), result.stderr
    assert "1 run, 1 link" in lines, result.stderr


def test_the_installed_wheel_works_outside_of_the_sources(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path)
    code = (
        "import sys, flyte_wandb\n"
        "request = flyte_wandb.Request(run_name='r1', action_name='a0')\n"
        "print(flyte_wandb.plan(request).run_id)\n"
        f"print(*(sys.modules[name].__file__ for name in {sorted(PACKAGES)}), sep='\\n')"
    )
    # The wheel alone, and neither this checkout nor what is installed here.
    environ = process_environ(tmp_path, {"PYTHONPATH": str(tmp_path)})
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
    files = [str(tmp_path / package / "__init__.py") for package in sorted(PACKAGES)]
    assert result.stdout.splitlines() == ["r1-a0", *files], result.stderr
