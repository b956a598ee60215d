"""Write docs/hooks.md, the reference of all hooks, from the docstrings of the contract.

Run it as ``python docs/make_hooks.py``.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flyte_wandb_hookspecs import PROJECT_NAME, HookSpecs

PAGE: Final = Path(__file__).with_name("hooks.md")

_WIDTH: Final = 130
_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Example)::?\n", re.MULTILINE)
_ENTRY: Final = re.compile(r"^(\w+): ", re.MULTILINE)
_TITLES: Final = {"Args": "Arguments:", "Raises": "Raises:"}
_INTRO: Final = """\
# Hooks

`python docs/make_hooks.py` writes this page from the docstrings of [the
contract](../hookspecs/flyte_wandb_hookspecs/_specs.py).

A plugin is a module, or an object, with functions of these names, each marked with `@hookimpl`. A function is handed
those of the arguments that it names. [Write a rank scope](write-a-rank-scope.md) makes a package of one, and
[Compatibility](compatibility.md) says what may change.

**The first answer counts** for {first}. Plugins are asked one after the other, until one answers something other than
`None`, which says "not mine". Where nobody answers, it is an error that lists the known run modes and rank scopes; only
`detect_topology` and `declare_topology` need no answer.

**All are asked** for {every}.
"""
_RULES: Final = """\
**Wrappers.** A hook whose first answer counts can be wrapped: `@hookimpl(wrapper=True)` marks a generator function with
one `yield`, which is called around those that answer. It is sent their answer, and what it returns is the answer from
then on. A wrapper that returns nothing is an error when the hook is asked: "the answer got lost in a wrapper".

**Refused when a plugin is registered**, rather than when a task needs it:

- a plugin without a hook, and a function that has a hook's name and no `@hookimpl`;
- a class or a function, where a module or an instance belongs;
- a hook, or an argument, that the contract does not have;
- an argument with a default, a keyword-only one, `*args`, `**kwargs`, and a method without `self`;
- a coroutine function;
- a `yield` without `wrapper=True`, a wrapper without a `yield`, and a wrapper of a hook that all answer;
- a run mode or rank scope of an unknown kind, of a name that nobody can type, or of a taken name;
- strategies that are no list, and one that no hook of the plugin answers for.
"""


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
    return "\n\n".join([*map(_paragraph, paragraphs), *map(_section, told)]) + "\n"


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
    _, *entries = _ENTRY.split(text)
    lines = [_prose(f"- `{name}`: {said}", indent="  ") for name, said in zip(entries[::2], entries[1::2], strict=True)]
    return "\n".join([_TITLES[title], "", *lines])


def _prose(text: str, *, indent: str = "") -> str:
    plain = " ".join(text.replace("``", "`").split())
    return textwrap.fill(plain, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page())
