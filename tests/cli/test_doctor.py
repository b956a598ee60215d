"""`flyte-wandb doctor`: whether a run could start from here, and what to do where it could not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import flyte_wandb
from flyte_wandb.testing import WandbServer
from tests.cli.running import run, run_in_terminal
from tests.distributions import install

Lines = dict[str, list[tuple[str, str]]]


def examined(folder: Path, *options: str, environ: dict[str, str], exit_code: int) -> Lines:
    """What the preflight says: state and words of each line, by what it is about."""
    result = run("doctor", *options, folder=folder, environ=environ)
    assert (result.returncode, result.stderr) == (exit_code, ""), result
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    verdict = result.stdout.splitlines()[-1]
    assert verdict == "A run can start." if exit_code == 0 else verdict.startswith("A run could not start: ")
    return _lines(result.stdout)


def _lines(text: str) -> Lines:
    found: list[tuple[str, str, str]] = []
    for line in text.partition("\n\n")[0].splitlines():
        state, about, words = line[:8].strip(), line[8:22].strip(), line[22:].strip()
        if state:
            found.append((about, state, words))
        else:
            about, state, before = found.pop()
            found.append((about, state, f"{before} {words}"))
    return {about: [(state, words) for of, state, words in found if of == about] for about, _, _ in found}


def test_against_a_server_that_knows_the_key_all_is_well(server: WandbServer, tmp_path: Path) -> None:
    environ = server.environ | {"WANDB_PROJECT": "vision"}
    said = examined(tmp_path, environ=environ, exit_code=0)
    assert said["server"] == [("ok", f"{server.url} (WANDB_BASE_URL)")]
    assert said["key"] == [("ok", f"found for {server.url} (WANDB_API_KEY)")]
    assert said["connection"] == [("ok", f"{server.url} answers, logged in as local")]
    assert said["shared mode"][0][0] == "ok"
    assert said["mode"] == [("ok", "online (W&B's default)")]
    assert said["project"] == [("ok", "vision (WANDB_PROJECT), not in local yet: the first run creates it")]
    remedy = "set entity= in wandb_init or wandb_config, or WANDB_ENTITY, so that links lead to the run"
    assert said["entity"] == [("note", f"not set; W&B uses the default of the key's owner, local -> {remedy}")]
    assert said["plugins"] == [("ok", f"builtin (flyte-wandb {flyte_wandb.__version__})")]
    assert said["launcher"] == [("ok", "single process (no distributed launcher)")]
    assert f"flyte-wandb {flyte_wandb.__version__}, flyte" in said["versions"][0][1]
    assert "service" not in said


def test_options_take_the_place_of_what_is_configured(server: WandbServer, tmp_path: Path) -> None:
    environ = {name: value for name, value in server.environ.items() if name != "WANDB_BASE_URL"}
    server.put_run("r1", project="p", entity="e")
    options = ("--host", server.url, "--project", "p", "--entity", "e")
    said = examined(tmp_path, *options, environ=environ, exit_code=0)
    assert said["server"] == [("ok", f"{server.url} (--host)")]
    assert said["project"] == [("ok", "p (--project), the key may write to it")]
    assert said["entity"] == [("ok", "e (--entity), found on the server")]


def test_an_entity_that_is_not_there_and_a_project_that_may_only_be_read_are_problems(tmp_path: Path) -> None:
    with WandbServer(teams=["vision-team"], others=["theirs"]) as server:
        server.put_run("r1", project="p", entity="theirs")
        unknown = server.environ | {"WANDB_ENTITY": "teem", "WANDB_PROJECT": "p"}
        ((state, words),) = examined(tmp_path, environ=unknown, exit_code=1)["entity"]
        foreign = server.environ | {"WANDB_ENTITY": "theirs", "WANDB_PROJECT": "p"}
        read_only = examined(tmp_path, environ=foreign, exit_code=1)["project"]
    assert state == "problem"
    assert words.startswith(
        "teem (WANDB_ENTITY): the server has no user or team of this name that the key can see; the key's owner "
        "belongs to local, theirs, vision-team -> set entity= in wandb_init or wandb_config, or WANDB_ENTITY"
    )
    remedy = "ask theirs for write access, or set another project= or entity="
    assert read_only == [
        ("problem", f"p (WANDB_PROJECT): the key may read theirs/p and not write -> {remedy}"),
    ]


def test_a_server_that_does_not_say_who_may_write_is_a_note(server: WandbServer, tmp_path: Path) -> None:
    server.fault("GetTeamEntity", status=400)
    server.fault("IsProjectReadOnly", status=200, body='{"errors": [{"message": "permission denied"}]}')
    environ = server.environ | {"WANDB_ENTITY": "local", "WANDB_PROJECT": "p"}
    said = examined(tmp_path, environ=environ, exit_code=0)
    for about, value, error in (
        ("entity", "local (WANDB_ENTITY)", "HTTP Error 400"),
        ("project", "p (WANDB_PROJECT)", "it answers with an error: [{'message': 'permission denied'}]"),
    ):
        ((state, words),) = said[about]
        assert state == "note"
        assert words.startswith(f"{value}; the server does not say whether a run can go there: {error}")


def test_what_stands_in_wandbs_settings_files_is_found_there(server: WandbServer, tmp_path: Path) -> None:
    settings = tmp_path / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[default]\nbase_url = {server.url}\nproject = of the file\n")
    netrc = tmp_path / ".netrc"
    netrc.write_text(
        f"machine {server.url.removeprefix('http://')}\n  login user\n  password {server.environ['WANDB_API_KEY']}\n"
    )
    netrc.chmod(0o600)
    said = examined(tmp_path, environ={"WANDB_SILENT": "true"}, exit_code=0)
    assert said["server"] == [("ok", f"{server.url} (W&B's settings files)")]
    where = "of the file (W&B's settings files)"
    assert said["project"] == [("ok", f"{where}, not in local yet: the first run creates it")]
    assert said["key"] == [("ok", f"found for {server.url} (the netrc file)")]


def test_without_a_key_it_says_for_which_server_and_where_to_put_it(server: WandbServer, tmp_path: Path) -> None:
    said = examined(tmp_path, environ={"WANDB_BASE_URL": server.url}, exit_code=1)
    ((state, words),) = said["key"]
    assert state == "problem"
    assert words.startswith(f"none found for {server.url} -> wandb login --host {server.url}, or a Flyte secret as")
    assert said["connection"] == [("ok", f"{server.url} answers")]


@pytest.mark.parametrize(
    ("key", "about", "words"),
    [
        ("1" * 40, "connection", "{url} does not know the key -> wandb login --relogin --host {url}"),
        (
            "abc",
            "key",
            "the key for {url} is none: API key must have 40+ characters, has 3. -> wandb login --host {url},",
        ),
    ],
)
def test_a_key_that_is_wrong_is_told_and_never_shown(
    key: str, about: str, words: str, server: WandbServer, tmp_path: Path
) -> None:
    environ = server.environ | {"WANDB_API_KEY": key}
    said = examined(tmp_path, environ=environ, exit_code=1)
    ((state, found),) = said[about]
    assert state == "problem"
    assert found.startswith(words.format(url=server.url))
    assert key not in str(said)


def test_a_closed_port_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        environ = {"WANDB_BASE_URL": url, "WANDB_API_KEY": "0" * 40}
        said = examined(tmp_path, environ=environ, exit_code=1)
    ((state, words),) = said["connection"]
    assert state == "problem"
    assert words.startswith(f"{url} does not answer as a W&B server does: [Errno 111] Connection refused -> check the")


class _Other(BaseHTTPRequestHandler):
    """A server of something else."""

    answer = (404, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, content = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(
    params=[
        (404, b""),
        (500, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, json.dumps({"a": 1}).encode()),
        (200, b"[" * 100_000),
        (200, b" " * 5_000_000),
    ]
)
def other_server(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Other", (_Other,), {"answer": request.param})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_of_something_else_is_none_of_wandb(other_server: str, tmp_path: Path) -> None:
    environ = {"WANDB_BASE_URL": other_server, "WANDB_API_KEY": "0" * 40}
    ((state, words),) = examined(tmp_path, environ=environ, exit_code=1)["connection"]
    assert state == "problem"
    assert words.startswith(f"{other_server} does not answer as a W&B server does: ")


@pytest.mark.parametrize(
    ("version", "state", "words"),
    [
        ("0.68", "ok", "the server has version 0.68, which knows shared mode"),
        ("0.70.2", "ok", "the server has version 0.70.2, which knows shared mode"),
        ("0.67.1", "problem", "the server has version 0.67.1; shared mode needs 0.68 or newer -> upgrade it, or set"),
        ("development", "note", "the server has version development, which says nothing about shared mode"),
    ],
)
def test_the_servers_version_decides_on_shared_mode(version: str, state: str, words: str, tmp_path: Path) -> None:
    with WandbServer(version=version) as server:
        said = examined(tmp_path, environ=server.environ, exit_code=int(state == "problem"))
    ((found, told),) = said["shared mode"]
    assert found == state
    assert told.startswith(words)


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [
        ("offline", "upload the runs later with flyte-wandb sync, or unset WANDB_MODE"),
        ("disabled", "W&B keeps no run; unset WANDB_MODE to have one"),
    ],
)
def test_offline_and_disabled_need_no_key_and_no_server(mode: str, remedy: str, tmp_path: Path) -> None:
    environ = {"WANDB_MODE": mode, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    said = examined(tmp_path, environ=environ, exit_code=0)
    assert said["mode"] == [("note", f"{mode} (WANDB_MODE) -> {remedy}")]
    assert {"key", "connection", "shared mode"} & set(said) == set()


def test_a_configuration_that_wandb_refuses_is_one_problem(tmp_path: Path) -> None:
    said = examined(tmp_path, environ={"WANDB_MODE": "onlin"}, exit_code=1)
    ((state, words),) = said["configuration"]
    assert state == "problem"
    assert words.startswith(
        "W&B's own configuration cannot be read: W&B's client rejects the environment of this process: "
    )
    assert "WANDB_MODE='onlin': Input should be 'online', 'offline'" in words


def test_a_broken_plugin_and_a_misspelt_block_are_told(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", "raise ImportError('no GPU')")
    install(tmp_path, "blocked-names", "raise SystemExit('loaded')")
    environ = {"WANDB_MODE": "offline", "FLYTE_WANDB_DISABLE_PLUGINS": "blocked-names,acme"}
    said = examined(tmp_path, environ=environ, exit_code=1)
    broken, used, unknown, blocked = said["plugins"]
    assert broken[0] == "problem"
    assert broken[1].startswith("plugin 'acme-names' (acme-names 1.0) cannot be loaded: ImportError: no GPU; repair ")
    assert used == ("ok", f"builtin (flyte-wandb {flyte_wandb.__version__})")
    assert unknown[0] == "note"
    assert unknown[1].startswith("FLYTE_WANDB_DISABLE_PLUGINS names acme, which is not installed")
    assert blocked == ("note", "FLYTE_WANDB_DISABLE_PLUGINS leaves out blocked-names")


RANK = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2", "NODE_RANK": "1", "NNODES": "2"}
MARKER = {"FLYTE_CLUSTERED_WORKER": "1"}


@pytest.mark.parametrize(
    ("environ", "state", "words"),
    [
        (RANK | MARKER, "ok", "clustered: rank 2 of 4, node 1 of 2"),
        (RANK, "ok", "environment: rank 2 of 4, node 1 of 2"),
        (
            {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": ""},
            "note",
            "single process: it has RANK, WORLD_SIZE only, and no marker of a launcher -> start ranks with",
        ),
        (
            RANK | MARKER | {"RANK": "4"},
            "problem",
            "RANK is '4' in this process's environment; a whole number, 0 to 3,",
        ),
        (
            RANK | MARKER | {"NODE_RANK": "3"},
            "problem",
            "the launcher's variables contradict each other: worker_index 3",
        ),
    ],
)
def test_the_launchers_variables_are_read_and_compared(
    environ: dict[str, str], state: str, words: str, tmp_path: Path
) -> None:
    said = examined(tmp_path, environ=environ | {"WANDB_MODE": "offline"}, exit_code=int(state == "problem"))
    ((found, told),) = said["launcher"]
    assert found == state
    assert told.startswith(words)


def test_an_inherited_service_is_told(tmp_path: Path) -> None:
    environ = {"WANDB_SERVICE": "3-1-unix-/tmp/none", "WANDB_MODE": "offline"}
    ((state, words),) = examined(tmp_path, environ=environ, exit_code=0)["service"]
    assert state == "note"
    assert words.startswith("WANDB_SERVICE is set: runs go through another process's W&B service -> unset it if")


def test_it_is_coloured_in_a_terminal(tmp_path: Path) -> None:
    text = run_in_terminal("doctor", folder=tmp_path, environ={"WANDB_MODE": "offline"})
    assert "\x1b[32mok" in text
    assert "\x1b[33mnote" in text
    assert "\x1b[1;32mA run can start." in text
