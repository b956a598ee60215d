"""One run's folder: nothing goes outside of it, half files have no final name, and one download fills it at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte_wandb import DownloadError
from flyte_wandb.results.downloads._folder import Folder
from flyte_wandb.results.downloads._journal import Journal


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def test_a_link_below_the_folder_is_not_followed(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "run"
    (root / "files").mkdir(parents=True)
    (root / "files" / "link").symlink_to(outside)
    with Folder(root).claim() as folder, pytest.raises(DownloadError, match=r"files/link is in the way"):
        folder.write("files/link/a.txt", b"a")
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    (root / "run.json").symlink_to(outside / "theirs.json")
    with Folder(root).claim() as folder:
        folder.write("run.json", b"{}")
    assert (root / "run.json").read_bytes() == b"{}"
    assert not (root / "run.json").is_symlink()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["", "/staging", "/lock"])
def test_a_link_in_the_place_of_what_is_our_own_is_refused(name: str, tmp_path: Path, outside: Path) -> None:
    own = tmp_path / "run" / ".flyte-wandb-download"
    link = Path(f"{own}{name}")
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "there" if name == "/lock" else outside)
    with pytest.raises((DownloadError, OSError)), Folder(tmp_path / "run").claim():
        pass
    assert list(outside.iterdir()) == []


def test_the_folder_itself_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "run").symlink_to(outside)
    with Folder(tmp_path / "run").claim() as folder:
        folder.write("a.txt", b"a")
    assert (outside / "a.txt").read_bytes() == b"a"


def test_a_file_that_was_not_placed_is_nowhere(tmp_path: Path) -> None:
    with Folder(tmp_path).claim() as folder:
        with folder.stage_file() as (file, _):
            file.write(b"half")
        assert [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"half"] == []


def test_what_a_dead_download_left_is_removed(tmp_path: Path) -> None:
    staging = tmp_path / ".flyte-wandb-download" / "staging"
    staging.mkdir(parents=True)
    (staging / "0").write_bytes(b"half")
    with Folder(tmp_path).claim():
        assert list(staging.iterdir()) == []


def test_two_downloads_do_not_fill_one_folder_at_a_time(tmp_path: Path) -> None:
    with Folder(tmp_path).claim():
        second = Folder(tmp_path).claim()
        with pytest.raises(DownloadError, match="another download is writing to"):
            second.__enter__()
    with Folder(tmp_path).claim():
        pass


def test_the_journal_knows_a_complete_file_until_it_changes_here_or_there(tmp_path: Path) -> None:
    stamp = {"md5": "x"}
    with Folder(tmp_path).claim() as folder:
        folder.write("a.txt", b"abc")
        Journal(folder).note("a.txt", stamp)
        assert Journal(folder).has("a.txt", stamp)
        assert not Journal(folder).has("a.txt", {"md5": "y"})
        (tmp_path / "a.txt").write_bytes(b"ab")
        assert not Journal(folder).has("a.txt", stamp)


def test_a_journal_that_was_cut_off_in_a_line_goes_on_after_it(tmp_path: Path) -> None:
    with Folder(tmp_path).claim() as folder:
        folder.write("a.txt", b"abc")
        folder.write("b.txt", b"b")
        Journal(folder).note("a.txt", {})
        path = tmp_path / ".flyte-wandb-download" / "journal.jsonl"
        path.write_bytes(path.read_bytes() + b'{"path": "b.tx')
        Journal(folder).note("b.txt", {})
        assert Journal(folder).has("a.txt", {})
        assert Journal(folder).has("b.txt", {})


def test_a_journal_of_somebody_else_is_read_as_far_as_it_is_one(tmp_path: Path) -> None:
    with Folder(tmp_path).claim() as folder:
        folder.write("a.txt", b"abc")
        Journal(folder).note("a.txt", {})
        path = tmp_path / ".flyte-wandb-download" / "journal.jsonl"
        lines = ["[" * 100_000, '{"path": [], "stamp": {}, "size": 1, "rows": null}', "5", "\udcff"]
        lines += [
            '{"path": "b", "stamp": 1, "size": 1, "rows": null}',
            '{"path": "b", "stamp": {}, "size": "x", "rows": 1}',
        ]
        path.write_bytes("\n".join([*lines, ""]).encode("utf-8", "surrogateescape") + path.read_bytes())
        assert Journal(folder).has("a.txt", {})
        assert not Journal(folder).has("b", {})
