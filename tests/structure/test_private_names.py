"""The private names of wandb: which of them the installed one lacks, and that the list of them is whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte_wandb.wandb_client._private import PRIVATE_NAMES, PrivateName, missing_private_names
from tests.versions import FLUSHES

ROOM = Path(__file__).parents[2] / "flyte_wandb/wandb_client"
LISTED = {(module, private.name.rpartition(".")[2]) for private in PRIVATE_NAMES for module in private.used_in}
MODULES = {private.module for private in PRIVATE_NAMES}


def touched(path: Path) -> Iterator[str]:
    """Yield what a module touches of wandb that wandb does not document."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("wandb.sdk", "wandb.proto")):
            yield from (alias.name for alias in node.names if f"{node.module}.{alias.name}" not in MODULES)
        elif isinstance(node, ast.Attribute) and is_private(node):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("x_"):
            yield node.value


def is_private(node: ast.Attribute) -> bool:
    of_others = not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    return of_others and node.attr.startswith(("_", "x_")) and not node.attr.startswith("__")


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_module_touches_is_in_the_list(path: Path) -> None:
    assert [name for name in sorted(set(touched(path))) if (path.stem, name) not in LISTED] == []


@pytest.mark.parametrize("private", PRIVATE_NAMES, ids=lambda private: private.name)
def test_what_is_in_the_list_is_touched(private: PrivateName) -> None:
    name = private.name.rpartition(".")[2]
    assert [module for module in private.used_in if name not in (ROOM / f"{module}.py").read_text()] == []


def test_the_installed_wandb_has_all_of_them() -> None:
    expected = set() if FLUSHES else {"Settings.x_transaction_log_flush_interval"}
    assert {private.name for private in missing_private_names()} == expected, "see flyte_wandb/wandb_client/_private.py"


def test_a_name_that_wandb_does_not_have_is_seen_as_missing() -> None:
    gone = PrivateName(module="wandb.sdk.wandb_run", name="Run._gone", used_in=(), purpose="", without="")
    assert not gone.is_there
