"""A login in the netrc file is found where W&B's client finds it, and what is wrong with the file shows no key."""

from __future__ import annotations

from pathlib import Path

import pytest
from wandb.sdk.lib import wbauth

from flyte_wandb.wandb_client._netrc import read_netrc_key
from tests.messages import own_messages

KEY = "k" * 40
ENTRY = "machine {} login user password " + KEY + "\n"
FILES = ("own.netrc", ".netrc", "_netrc")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


@pytest.mark.parametrize("first", range(3), ids=FILES)
def test_the_file_is_the_one_of_wandbs_client(home: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    if first == 0:
        monkeypatch.setenv("NETRC", "~/own.netrc")
    for number, name in enumerate(FILES[first:], first):
        (home / name).write_text(ENTRY.format("wandb.example.com").replace("k", str(number)))
    key = read_netrc_key("https://wandb.example.com")
    assert key == str(first) * 40 == wbauth.read_netrc_auth(host="https://wandb.example.com")


@pytest.mark.parametrize(
    ("machine", "server"),
    [
        ("wandb.example.com:8080", "http://wandb.example.com:8080/wandb"),
        ("wandb.example.com", "http://wandb.example.com:8080"),
        ("api.wandb.ai", "https://api.wandb.ai"),
        ("other.example.com", "https://wandb.example.com"),
    ],
)
def test_the_entry_is_the_one_of_wandbs_client(home: Path, machine: str, server: str) -> None:
    (home / ".netrc").write_text(ENTRY.format(machine))
    assert read_netrc_key(server) == wbauth.read_netrc_auth(host=server)


def test_a_login_from_before_the_cloud_changed_its_name_is_found(home: Path) -> None:
    (home / ".netrc").write_text(ENTRY.format("api.wandb.ai"))
    assert read_netrc_key("https://api.forge.coreweave.com") == KEY


def test_without_a_file_there_is_no_key_and_no_warning(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_netrc_key("https://wandb.example.com") is None
    assert own_messages(caplog) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"machine a.example.com " + KEY.encode(), "line 1 is malformed"),
        (b"machine a.example.com login user\n", ".netrc"),
        (b'machine a.example.com login user password ""\n', "its entry for https://a.example.com has no password"),
        (b"\xff\xfe", ".netrc"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_warning_without_the_key(
    home: Path, caplog: pytest.LogCaptureFixture, content: bytes, reason: str
) -> None:
    (home / ".netrc").write_bytes(content)
    assert read_netrc_key("https://a.example.com") is None
    (message,) = own_messages(caplog)
    assert reason in message
    assert KEY not in message
