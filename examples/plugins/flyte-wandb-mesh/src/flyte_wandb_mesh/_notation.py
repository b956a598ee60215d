"""How a mesh is written behind the colon: ``pp=4,dp=2,tp=8;per=dp;lead=pp:last``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from ._mesh import Mesh

_EXAMPLE: Final = "mesh:pp=4,dp=2,tp=8;per=dp;lead=pp:last"
# The name stands in run ids and groups, which W&B takes without characters such as "/" and ":".
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def parse_mesh(text: str) -> Mesh:
    """Return the mesh that `text` describes.

    Args:
        text: Names and sizes of the dimensions in rank order; then, each after a semicolon, ``per=`` with names and
            ``lead=`` with names and ``first``, ``last`` or an index.

    Raises:
        ValueError: It is no such description; the message names the piece that is wrong and what would fit.

    >>> parse_mesh("pp=4,tp=8;lead=pp:last")
    Mesh(sizes={'pp': 4, 'tp': 8}, per=(), lead={'pp': 3})
    """
    dimensions, *clauses = (piece.strip() for piece in text.split(";"))
    sizes = _parse_sizes(dimensions)
    written = _parse_clauses(clauses)
    per = tuple(_split(written.get("per", "")))
    _check_names("per", per, sizes)
    return Mesh(sizes=sizes, per=per, lead=_parse_lead(written.get("lead", ""), sizes, per))


def _split(text: str) -> list[str]:
    return [piece.strip() for piece in text.split(",")] if text.strip() else []


def _parse_sizes(text: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for piece in _split(text):
        name, _, size = (word.strip() for word in piece.partition("="))
        if not (_NAME.fullmatch(name) and size.isdecimal() and int(size)):
            raise ValueError(
                f"{piece!r} is no dimension; write <name>=<size>, a name of letters, digits and _ and a size of 1 or "
                "more, such as pp=4"
            )
        if name in sizes:
            raise ValueError(f"dimension {name!r} stands twice; give each a name of its own")
        sizes[name] = int(size)
    if not sizes:
        raise ValueError(f"it names no dimension; write, for example, {_EXAMPLE}")
    return sizes


def _parse_clauses(clauses: Collection[str]) -> dict[str, str]:
    written: dict[str, str] = {}
    for clause in clauses:
        keyword, _, value = (word.strip() for word in clause.partition("="))
        if keyword not in ("per", "lead") or not value:
            raise ValueError(
                f"{clause!r} is neither per=<names> nor lead=<name>:<index>; write, for example, {_EXAMPLE}"
            )
        if keyword in written:
            raise ValueError(f"{keyword}= stands twice; write all names behind one, with commas")
        written[keyword] = value
    return written


def _parse_lead(text: str, sizes: Mapping[str, int], per: Collection[str]) -> dict[str, int]:
    written = [tuple(word.strip() for word in piece.partition(":")) for piece in _split(text)]
    _check_names("lead", [name for name, _, _ in written], sizes)
    lead = {name: _parse_index(name, index, sizes[name]) for name, _, index in written}
    for name in per:
        if name in lead:
            raise ValueError(f"lead names {name!r}, along which a part has one place only, because per names it, too")
    return lead


def _parse_index(name: str, text: str, size: int) -> int:
    words = {"first": 0, "last": size - 1}
    index = int(text) if text.isdecimal() else words.get(text, size)
    if index >= size:
        fits = f"first, last or an index from 0 to {size - 1}"
        raise ValueError(f"lead={name}:{text} is no place along {name!r}; write {name}: and {fits}")
    return index


def _check_names(keyword: str, names: Collection[str], sizes: Mapping[str, int]) -> None:
    for name in names:
        if name not in sizes:
            raise ValueError(f"{keyword} names {name!r}, which is no dimension of this mesh ({', '.join(sizes)})")
    if len(set(names)) != len(names):
        raise ValueError(f"{keyword} names a dimension twice: {', '.join(names)}")
