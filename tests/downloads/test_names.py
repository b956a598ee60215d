"""Names from a server become paths inside one folder."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_wandb.results._file_names import MOST_BYTES, assign_local_paths

COMPONENTS = st.one_of(
    st.sampled_from(["..", ".", "", "a", "b", "C:", "con", "~", "a~1", "\x00", "\ud800", "é" * 200, "x" * 300]),
    st.text(st.characters(exclude_characters="/"), max_size=8),
)
FEW = settings(max_examples=40)
NAMES = st.one_of(st.text(max_size=20), st.lists(COMPONENTS, min_size=1, max_size=6).map("/".join))


@FEW
@given(st.lists(NAMES, max_size=12))
def test_every_name_has_a_path_of_its_own_below_the_folder(names: list[str]) -> None:
    paths = assign_local_paths(names)
    assert set(paths) == set(names)
    assert len(set(paths.values())) == len(paths)
    for path in paths.values():
        parts = path.split("/")
        assert not path.startswith("/")
        assert all(part not in ("", ".", "..") and len(part.encode()) <= MOST_BYTES for part in parts)
        assert not set(path) & {"\x00", "\\", ":", "\n"}


@FEW
@given(st.lists(NAMES, max_size=12))
def test_no_path_is_the_folder_of_another(names: list[str]) -> None:
    paths = set(assign_local_paths(names).values())
    assert not paths & {str(folder) for path in paths for folder in PurePosixPath(path).parents}


@FEW
@given(st.lists(NAMES, max_size=12), st.randoms())
def test_a_path_does_not_depend_on_the_order_of_the_names(names: list[str], random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign_local_paths(shuffled) == assign_local_paths(names)


@given(st.lists(st.text("abcxyz.-_ é", min_size=1).filter(lambda name: name not in (".", "..")), max_size=12))
def test_a_safe_name_stays_as_it_is(names: list[str]) -> None:
    assert assign_local_paths(names) == {name: name for name in names}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("../../etc/passwd", "__/__/etc/passwd~"),
        ("/etc/passwd", "etc/passwd~"),
        ("C:\\windows\\evil.dll", "C__windows_evil~"),
        ("media//a.png", "media/a~"),
        ("", "_~"),
        ("nul\x00.txt", "nul_~"),
        ("NUL", "NUL_~"),
        ("logs/com1.txt", "logs/com1_~"),
        ("d/" * 2000 + "deep.txt", "deep~"),
    ],
)
def test_a_hostile_name_keeps_what_it_can(name: str, nearest: str) -> None:
    assert assign_local_paths([name])[name].startswith(nearest)


def test_a_name_that_copies_the_path_of_a_hostile_one_takes_nothing_from_it() -> None:
    taken = assign_local_paths(["../evil"])["../evil"]
    both = assign_local_paths(["../evil", taken])
    assert both[taken] == taken
    assert both["../evil"] != taken
