"""The badges of the README: what a user needs, from the metadata of the package."""

from __future__ import annotations

from importlib.metadata import metadata
from typing import Final

from packaging.requirements import Requirement

from .shapes import labelled, picture

_NEEDED: Final = ("flyte", "wandb")
_LETTER, _HEIGHT, _GAP, _MARGIN = 6.6, 22, 8, 6


def badges() -> str:
    """Return the picture: lowest versions of Python and of what is needed, and the licence."""
    about = metadata("flyte-wandb")
    declared = map(Requirement, about.get_all("Requires-Dist") or [])
    lowest = {one.name: str(one.specifier) for one in declared if one.name in _NEEDED}
    versions = {"python": about["Requires-Python"], **{name: lowest[name] for name in _NEEDED}}
    words = [f"{name} {version.removeprefix('>=')}+" for name, version in versions.items()]
    return _row([*words, f"licence {about['License-Expression']}"])


def _row(words: list[str]) -> str:
    shapes: list[str] = []
    x: float = _MARGIN
    for one, colour in zip(words, ("blue", "purple", "orange", "teal"), strict=True):
        width = 18 + _LETTER * len(one)
        shapes.append(labelled(x, _MARGIN, width, _HEIGHT, one, f"pale {colour}", word_kind="small"))
        x += width + _GAP
    title = "Versions and licence"
    return picture(x - _GAP + _MARGIN, _HEIGHT + 2 * _MARGIN, title=title, described=", ".join(words), shapes=shapes)
