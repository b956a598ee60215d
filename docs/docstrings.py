"""An extension of griffe, for the API page: examples in docstrings are blocks of code."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

import griffe

_SESSION: Final = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
_EXAMPLE: Final = re.compile(r"^Example::\n\n((?: {4}.*\n?|\s*\n)+)", re.MULTILINE)


class Fenced(griffe.Extension):
    """Puts fences around the examples of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that griffe has read."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    r"""Return a docstring whose interactive sessions and indented examples are fenced.

    >>> fenced("Add.\n\n>>> 1 + 1\n2")
    'Add.\n\n```pycon\n>>> 1 + 1\n2\n```'
    """
    sessions = _SESSION.sub(lambda found: f"```pycon\n{found[0]}\n```", docstring)
    return _EXAMPLE.sub(lambda found: f"```python\n{textwrap.dedent(found[1]).rstrip()}\n```\n", sessions)
