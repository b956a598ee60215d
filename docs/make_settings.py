"""Write docs/settings.md, the reference of all settings, from the tables of the package and the meanings below.

Run it as ``python -m docs.make_settings``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from flyte_wandb import Settings
from flyte_wandb.settings import _schema, _sweep_schema
from flyte_wandb.settings._client_settings import REFUSED_FIELDS, SETTING_OF
from flyte_wandb.settings._merge import ON_ERROR_VARIABLE
from flyte_wandb.settings._schema import FIELDS, OWN_FIELDS, SettingArguments
from flyte_wandb.settings._sweep_schema import SWEEP_FIELDS, SweepArguments

from .settings_meanings import MEANINGS, SWEEP_MEANINGS, VARIABLES

PAGE: Final = Path(__file__).with_name("settings.md")
_DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(Settings)}
_HEAD: Final = "| setting | type | default | meaning |\n|---|---|---|---|"
_VARIABLES: Final = {
    "root_dir": "dir",
    "run_job_type": "job_type",
    "run_name": "name",
    "run_notes": "notes",
    "run_tags": "tags",
}
"""What W&B calls a field in its variables, where that is another name (`Settings.update_from_env_vars`)."""
_DECIDED: Final = ("run_id", "resume", "resume_from", "fork_from")
"""Fields that every run of a task is given, so that a variable of W&B never holds."""
_TEXT: Final = """\
# Settings

`python -m docs.make_settings` writes this page from the package's own tables.

## Where a setting stands

Every setting of a run is an argument of `wandb_init`, for the task that it decorates, and of `wandb_config`, for all
tasks below. `None` counts as not set. [Concepts](concepts.md#settings) has more. An unknown name, a value of another
type, and a name that W&B would refuse are a `SettingError` where they are written. Per setting the first match wins:

1. the argument of `wandb_init`
2. the field of its `settings=`
3. the argument of `wandb_config`
4. the field of its `settings=`
5. the environment variable
6. W&B's settings files
7. what a plugin contributes: job type and notes, and each key of `config`; its tags stand beside yours
8. the default

`settings=` is a `wandb.Settings` or a dict of its fields. A field that says what a setting says counts as that setting,
so `settings={{"mode": "offline"}}` is `mode="offline"` in containers, ranks, links and sweeps too:

| setting | field of `settings=` | environment variable |
|---|---|---|
{fields}

These fields, and arguments of these names, are refused, for they follow from other settings:

| field | what to do |
|---|---|
{refused}

Every other field goes to W&B as it is, and is merged with the outer ones field by field. One that W&B does not have is
refused.

What stands in the context travels as text, so it has to be text, numbers, booleans, `None`, or lists, tuples and
dicts of these; each comes back as what it was. Where a setting can be more than that, its row says so.

## Of this package

{own}

## Of `wandb.init`

These are handed to `wandb.init` as they are; its documentation says what they mean.

{init}

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
        fields="\n".join(
            [
                *(f"| `{name}` | `{field}` | {_variable(field)} |" for field, name in SETTING_OF.items()),
                f"| `on_error` |  | `{ON_ERROR_VARIABLE}` |",
            ]
        ),
        refused="\n".join(f"| `{field}` | {why} |" for field, why in REFUSED_FIELDS.items()),
        sweep="\n".join([_HEAD, *_rows(SWEEP_FIELDS, SweepArguments.__annotations__, SWEEP_MEANINGS)]),
        variables="\n".join(f"| `{name}` | {default} | {meaning} |" for name, (default, meaning) in VARIABLES.items()),
    )


def _rows(names: Iterable[str], types: Mapping[str, Any], meanings: Mapping[str, str]) -> list[str]:
    return [f"| `{name}` | {_type(types[name])} | {_default(name)} | {_meaning(name, meanings)} |" for name in names]


def _plain_rows(names: Iterable[str], types: Mapping[str, Any]) -> list[str]:
    return [f"| `{name}` | {_type(types[name])} | {MEANINGS.get(name, '')} |" for name in names]


def _variable(field: str) -> str:
    """Return the variable that holds where no setting says otherwise, if there is one."""
    if field in _DECIDED:
        return ""
    return f"`WANDB_{_VARIABLES.get(field, field).upper()}`"


def _meaning(name: str, meanings: Mapping[str, str]) -> str:
    if name not in meanings:
        raise SystemExit(f"say in docs/settings_meanings.py what the setting {name!r} means")
    return meanings[name]


def _type(annotation: Any) -> str:
    words = str(getattr(annotation, "__forward_arg__", annotation)).removesuffix(" | None")
    words = re.sub(r"\b[A-Z]\w+", _choices, words)
    return f"`{words}`".replace("|", "\\|")


def _choices(name: re.Match[str]) -> str:
    """Write the values of a closed set in place of its name."""
    choices = vars(_schema).get(name[0]) or vars(_sweep_schema).get(name[0])
    return " | ".join(map(repr, get_args(choices))) if get_origin(choices) is Literal else name[0]


def _default(name: str) -> str:
    default = _DEFAULTS.get(name)
    return f"`{default!r}`" if isinstance(default, (str, bool)) else ""


if __name__ == "__main__":
    PAGE.write_text(page())
