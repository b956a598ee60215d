"""Write docs/hooks.md, the reference of all hooks, from the docstrings of the contract.

Run it as ``python docs/make_hooks.py``.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flyte_wandb_hookspecs import (
    PROJECT_NAME,
    Group,
    HookSpecs,
    ParentRun,
    Part,
    Plan,
    Request,
    Role,
    Settings,
    Step,
    Strategy,
    Topology,
    Trial,
)

PAGE: Final = Path(__file__).with_name("hooks.md")

DATA: Final = (Request, Topology, Part, Role, Group, Plan, Settings, Strategy, ParentRun, Trial, Step)
"""What hooks get and return, in the order of the page."""

_WIDTH: Final = 130
_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Example)::?\n", re.MULTILINE)
_ENTRY: Final = re.compile(r"^(\w+): ", re.MULTILINE)
_TITLES: Final = {"Args": "Arguments:", "Raises": "Raises:"}
_INTRO: Final = """\
# Hooks

`python docs/make_hooks.py` writes this page from the docstrings of [the
contract](../hookspecs/flyte_wandb_hookspecs/_specs.py).

A plugin is a module or an object with functions of these names, each marked with `@hookimpl`. Name the arguments that
your function needs, and leave out the others. [Write a rank scope](write-a-rank-scope.md) and [Write a run
mode](write-a-run-mode.md) make packages. [What hooks get and return](#what-hooks-get-and-return) has every field.
[Compatibility](compatibility.md) says what may change.

**The first answer counts** for {first}. flyte-wandb asks one plugin after the other, until one returns something other
than `None`. `None` says "not mine". If nobody answers, the error lists the known run modes and rank scopes. Only
`detect_topology` and `declare_topology` need no answer.

**All are asked** for {every}.
"""
_RULES: Final = """\
**Wrappers.** You can wrap a hook if its first answer counts. Mark a generator function with `@hookimpl(wrapper=True)`,
and write one `yield` in it. `yield` gives you the answer of the others, and what you return replaces it. Return
something: otherwise the error is "the answer got lost in a wrapper".

**Refused when a plugin is registered**, with what to write instead:

- a plugin without a hook, and a function that has a hook's name and no `@hookimpl`;
- a class or a function, where a module or an instance belongs;
- a hook, or an argument, that the contract does not have;
- an argument with a default, a keyword-only one, `*args`, `**kwargs`, and a method without `self`;
- a coroutine function;
- a `yield` without `wrapper=True`, a wrapper without a `yield`, and a wrapper of a hook that all answer;
- a run mode or rank scope of an unknown kind, of a name that nobody can type, or of a taken name;
- strategies that are not a list, and a strategy that no hook of the plugin answers for.
"""


_DATA_INTRO: Final = """\
## What hooks get and return

All of it is frozen: build a new value rather than change one. Import the types from `flyte_wandb`."""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One hook, as its specification and docstring tell it.

    Attributes:
        name: Its name.
        signature: Its arguments and what it returns, as written.
        first_answer_counts: Whether the first answer other than None counts; else all plugins are asked.
        summary: The docstring up to its first section.
        sections: The text of each section by its title, such as ``Example``.
    """

    name: str
    signature: str
    first_answer_counts: bool
    summary: str
    sections: dict[str, str]


def hooks() -> list[Hook]:
    """Return every hook of the contract, in its order."""
    functions = [value for value in vars(HookSpecs).values() if hasattr(value, f"{PROJECT_NAME}_spec")]
    return [_hook(function) for function in functions]


def page() -> str:
    """Return the text of the page."""
    told = hooks()
    first, every = (_linked(told, first_answer_counts=counts) for counts in (True, False))
    paragraphs = [*_INTRO.format(first=first, every=every).split("\n\n"), *_rules_of_decisions(), *_RULES.split("\n\n")]
    data = [_DATA_INTRO, *map(_data_section, DATA)]
    return "\n\n".join([*map(_paragraph, paragraphs), *map(_section, told), *data]) + "\n"


def _hook(function: Callable[..., Any]) -> Hook:
    summary, *rest = _SECTION.split(inspect.getdoc(function) or "")
    return Hook(
        name=function.__name__,
        signature=_signature(function),
        first_answer_counts=getattr(function, f"{PROJECT_NAME}_spec")["firstresult"],
        summary=summary.strip(),
        sections={title: textwrap.dedent(text).strip() for title, text in zip(rest[::2], rest[1::2], strict=True)},
    )


def _signature(function: Callable[..., Any]) -> str:
    told = inspect.signature(function)
    arguments = [f"{name}: {one.annotation}" for name, one in told.parameters.items() if name != "self"]
    return f"{function.__name__}({', '.join(arguments)}) -> {told.return_annotation}"


def _linked(told: list[Hook], *, first_answer_counts: bool) -> str:
    names = [hook.name for hook in told if hook.first_answer_counts is first_answer_counts]
    return ", ".join(f"[{name}](#{name})" for name in names)


def _rules_of_decisions() -> list[str]:
    """Return what the contract's module says about all hooks, but for its title."""
    _, *paragraphs = (inspect.getdoc(inspect.getmodule(HookSpecs)) or "").split("\n\n")
    return paragraphs


def _paragraph(text: str) -> str:
    return text.rstrip() if text.startswith(("#", "- ")) else _prose(text)


def _section(hook: Hook) -> str:
    counts = "The first answer counts." if hook.first_answer_counts else "All are asked."
    parts = [f"## {hook.name}", f"`{hook.signature}`", counts]
    parts += [_paragraph(paragraph) for paragraph in hook.summary.split("\n\n")]
    parts += [_told(title, text) for title, text in hook.sections.items()]
    return "\n\n".join(parts)


def _told(title: str, text: str) -> str:
    if title == "Example":
        return f"```python\n{text}\n```"
    if title == "Returns":
        return _prose(f"Returns: {text}")
    lines = [_prose(f"- `{name}`: {said}", indent="  ") for name, said in _entries(text)]
    return "\n".join([_TITLES[title], "", *lines])


def _prose(text: str, *, indent: str = "") -> str:
    plain = " ".join(text.replace("``", "`").split())
    return textwrap.fill(plain, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _data_section(kind: type) -> str:
    summary, _, rest = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    paragraphs = [_prose(one) for one in summary.split("\n\n") if not one.startswith(">>>")]
    rows = [
        f"| `{name}` | `{type_text.replace(' | ', ' or ')}` | {_cell(meaning)} |"
        for name, type_text, meaning in _members(kind, rest)
    ]
    head = ["| name | type | meaning |", "|---|---|---|"]
    return "\n\n".join([f"### {kind.__name__}", *paragraphs, "\n".join([*head, *rows])])


def _members(kind: type, attributes: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and meaning: of the members of an enumeration, of fields, and of properties."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    if issubclass(kind, enum.Enum):
        for value, text in itertools.pairwise(body):
            if isinstance(value, ast.Assign) and isinstance(text, ast.Expr):
                yield ast.unparse(value.targets[0]), kind.__name__, ast.literal_eval(text.value)
    else:
        meanings = dict(_entries(textwrap.dedent(attributes.partition("\n\n")[0])))
        for field in dataclasses.fields(kind):
            default = _default_text(field)
            yield field.name, str(field.type), meanings[field.name] + (f" Default: `{default}`." if default else "")
    for name, value in vars(kind).items():
        if isinstance(value, property) and value.fget:
            meaning = (inspect.getdoc(value) or "").partition("\n\n")[0]
            yield name, str(value.fget.__annotations__["return"]), meaning


def _default_text(field: dataclasses.Field[Any]) -> str:
    # None says the same as the type, and a factory makes what the type's own defaults are.
    known = field.default is not dataclasses.MISSING and field.default is not None
    return repr(field.default) if known else ""


def _entries(text: str) -> list[tuple[str, str]]:
    _, *entries = _ENTRY.split(text)
    return list(zip(entries[::2], entries[1::2], strict=True))


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    PAGE.write_text(page())
