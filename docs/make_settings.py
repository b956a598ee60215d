"""Write docs/settings.md, the reference of all settings, from the tables of the package and the meanings below.

Run it as ``python -m docs.make_settings``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from flyte_wandb import Settings
from flyte_wandb._fields import _MANAGED, FIELDS, OWN_FIELDS, SettingArguments
from flyte_wandb._sweep_fields import SWEEP_FIELDS, SweepArguments

from .settings_meanings import MEANINGS, SWEEP_MEANINGS, VARIABLES

PAGE: Final = Path(__file__).with_name("settings.md")
_DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(Settings)}
_HEAD: Final = "| setting | type | default | meaning |\n|---|---|---|---|"
_TEXT: Final = """\
# Settings

`python -m docs.make_settings` writes this page from the package's own tables.

## Where a setting stands

Every setting of a run is an argument of `wandb_init`, for the task that it decorates, and of `wandb_config`, for all
tasks below. Per setting the decorator goes over the context, the context over the environment variable where there is
one, and that over the default. `None` counts as not set. [Concepts](concepts.md#settings) has more. An unknown name,
a value of another type, and a name that W&B would refuse are a `SettingError` where they are written.

What stands in the context travels as text, so it has to be text, numbers, booleans, `None`, or lists, tuples and
dicts of these; each comes back as what it was. Where a setting can be more than that, its row says so.

## Of this package

{own}

## Of `wandb.init`

These are handed to `wandb.init` as they are; its documentation says what they mean.

{init}

| refused | what to do |
|---|---|
{managed}

## Of a sweep

Arguments of `wandb_sweep`, for the task that it decorates, and of `wandb_sweep_config`, for all tasks below. The
first ones are this package's; from `name` on they are W&B's configuration of a sweep. See
[Sweeps](sweeps.md#the-sweep).

{sweep}

## Environment variables

| variable | default | meaning |
|---|---|---|
{variables}

W&B's own variables, such as `WANDB_API_KEY`, `WANDB_MODE`, `WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_BASE_URL` and
`WANDB_DIR`, hold where no setting says otherwise, as its documentation has it."""


def page() -> str:
    """Return the text of the page."""
    init = [name for name in FIELDS if name not in OWN_FIELDS]
    types = SettingArguments.__annotations__
    return _TEXT.format(
        own="\n".join([_HEAD, *_rows(OWN_FIELDS, types, MEANINGS)]),
        init="\n".join(["| setting | type | |", "|---|---|---|", *_plain_rows(init, types)]),
        managed="\n".join(f"| `{name}` | {why} |" for name, why in _MANAGED.items()),
        sweep="\n".join([_HEAD, *_rows(SWEEP_FIELDS, SweepArguments.__annotations__, SWEEP_MEANINGS)]),
        variables="\n".join(f"| `{name}` | {default} | {meaning} |" for name, (default, meaning) in VARIABLES.items()),
    )


def _rows(names: Iterable[str], types: Mapping[str, Any], meanings: Mapping[str, str]) -> list[str]:
    return [f"| `{name}` | {_type(types[name])} | {_default(name)} | {_meaning(name, meanings)} |" for name in names]


def _plain_rows(names: Iterable[str], types: Mapping[str, Any]) -> list[str]:
    return [f"| `{name}` | {_type(types[name])} | {MEANINGS.get(name, '')} |" for name in names]


def _meaning(name: str, meanings: Mapping[str, str]) -> str:
    if name not in meanings:
        raise SystemExit(f"say in docs/settings_meanings.py what the setting {name!r} means")
    return meanings[name]


def _type(annotation: Any) -> str:
    words = str(getattr(annotation, "__forward_arg__", annotation)).removesuffix(" | None")
    return f"`{words}`".replace("|", "\\|")


def _default(name: str) -> str:
    default = _DEFAULTS.get(name)
    return f"`{default!r}`" if isinstance(default, (str, bool)) else ""


if __name__ == "__main__":
    PAGE.write_text(page())
