"""No command lets a text from elsewhere move the terminal, end a line, or turn it around."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from flyte_wandb import SettingError, wandb_config
from flyte_wandb.testing import WandbServer
from tests.cli.running import run
from tests.distributions import install
from tests.keys import UNKNOWN_KEY

HOSTILE: Final = "a\x1b]8;;http://evil\x07\x1b[2J\x9b1A\u202eb\n\rc[bold]"
SHOWN: Final = r"a\x1b]8;;http://evil\x07\x1b[2J\x9b1A\u202eb"

PLUGIN: Final = f"""
import flyte_wandb

@flyte_wandb.hookimpl
def list_strategies():
    return [flyte_wandb.Strategy(kind="rank_scope", name="island", summary={HOSTILE!r})]

@flyte_wandb.hookimpl
def locate_rank(): ...
"""
HARMLESS: Final = "import flyte_wandb\n\n@flyte_wandb.hookimpl\ndef run_started(): ..."


def printed(*arguments: str, folder: Path, environ: dict[str, str], exit_code: int | None = 0) -> str:
    """Run a command, and return what it prints, which moves no terminal."""
    result = run(*arguments, folder=folder, environ=environ)
    text = result.stdout + result.stderr
    assert exit_code is None or result.returncode == exit_code, text
    assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []
    return text


def test_no_command_prints_a_hostile_text_as_it_is(tmp_path: Path) -> None:
    install(tmp_path, "hostile-plugin", PLUGIN)
    install(tmp_path, "broken-plugin", f"raise ImportError({HOSTILE!r})")
    with WandbServer(entity=HOSTILE) as server:
        environ = dict(server.environ)
        server.put_run("r1", project="p", entity="team", history=[{"x": 1}], files={HOSTILE: b"content"})
        assert SHOWN[:20] in printed("doctor", folder=tmp_path, environ=environ, exit_code=None)
        assert SHOWN[:20] in printed("plugins", folder=tmp_path, environ=environ, exit_code=1)
        json.loads(run("plugins", "--json", folder=tmp_path, environ=environ).stdout)
        (tmp_path / "broken_plugin.py").write_text(HARMLESS)
        printed("plan", "--nodes", "1", "--rank-scope", HOSTILE, folder=tmp_path, environ=environ, exit_code=1)
        printed(
            "plan",
            "--nodes",
            "1",
            "--per-node",
            "2",
            folder=tmp_path,
            environ=environ | {"WANDB_PROJECT": "p\x1b[2J", "WANDB_ENTITY": "\u202eteam"},
        )
        downloaded = printed("download", "team/p/r1", "--to", "out", folder=tmp_path, environ=environ)
        assert SHOWN[:20] in downloaded
        printed("download", f"team/p/{HOSTILE}", folder=tmp_path, environ=environ, exit_code=None)
        server.fault("graphql", status=400, times=None)
        printed("download", "team/p/r1", "--to", HOSTILE[:20], folder=tmp_path, environ=environ, exit_code=1)


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "surrogate\udcff", "turned\u202e", "line\nforged: 5 rows"])
def test_a_folder_with_a_hostile_name_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "offline.json").write_text("[]")
    (folder / "run-r1.wandb").write_bytes(b"")
    lines = printed("sync", str(tmp_path), folder=tmp_path, environ={}, exit_code=1).splitlines()
    assert len(lines) == 2
    assert lines[-1] == "1 failed"


def test_a_key_in_an_address_is_shown_nowhere(server: WandbServer, tmp_path: Path) -> None:
    address = server.url.replace("://", f"://me:{UNKNOWN_KEY}@")
    environ = {**server.environ, "WANDB_BASE_URL": address, "WANDB_ENTITY": "team", "WANDB_PROJECT": "vision"}
    (tmp_path / "jobs.py").write_text(
        "import flyte\nfrom flyte_wandb import wandb_init\nenv = flyte.TaskEnvironment(name='jobs')\n"
        "@wandb_init\n@env.task\ndef train() -> None: ...\n"
    )
    texts = {
        name: printed(*arguments, folder=tmp_path, environ=environ, exit_code=None)
        for name, arguments in {
            "doctor": ("doctor",),
            "doctor of a host": ("doctor", "--host", address),
            "plan": ("plan", "jobs.py:train"),
            "plan as json": ("plan", "jobs.py:train", "--json"),
            "download": ("download", "team/vision/none"),
            "download from a host": ("download", "team/vision/none", "--host", address),
            "sync": ("sync", str(tmp_path), "--host", address),
        }.items()
    }
    assert [name for name, text in texts.items() if UNKNOWN_KEY in text or UNKNOWN_KEY[:12] in text] == []
    assert "://***@127.0.0.1" in texts["doctor"]
    assert f"{server.url}/team/vision" in texts["plan as json"], texts
    with pytest.raises(SettingError, match="a host must not contain a user or key") as refused:
        wandb_config(host=address)
    assert UNKNOWN_KEY not in str(refused.value)
