"""The search for keys over all that the suite writes finds what it is to find."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.keys import DOUBLES_KEY, HOLDS_KEYS, UNKNOWN_KEY, find_keys

KEY = "0123456789abcdef" * 2 + "01234567"
"""None of those that the session's own search looks for."""


@pytest.mark.parametrize("name", ["debug-internal.log", "deep/er/run.wandb", "task.pkl"])
def test_a_key_is_found_wherever_it_is_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0\xff" * 500 + KEY.encode() + b"\n")
    assert find_keys(tmp_path, [KEY]) == [f"{path} at byte 1000"]
    path.write_bytes(b"Authorization: Basic " + base64.b64encode(f"api:{KEY}".encode()))
    assert find_keys(tmp_path, [KEY]) == [f"{path} at byte 21"]


def test_what_is_there_to_hold_a_key_is_passed_over_and_no_link_is_followed(tmp_path: Path) -> None:
    for name in HOLDS_KEYS:
        (tmp_path / name).write_text(KEY)
    (tmp_path / "link").symlink_to(tmp_path / ".netrc")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert find_keys(tmp_path, [KEY]) == []


def test_the_keys_of_the_suite_look_like_keys() -> None:
    for key in (DOUBLES_KEY, UNKNOWN_KEY):
        assert len(key) == 40
        assert set(key) <= set("0123456789abcdef")
