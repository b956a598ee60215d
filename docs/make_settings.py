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
"""Names of fields in W&B's variables, if they differ from the field's (`Settings.update_from_env_vars`)."""
_DECIDED: Final = ("run_id", "resume", "resume_from", "fork_from")
"""Fields that this package sets for every run of a task, so that a variable of W&B never applies."""
_TEXT: Final = """\
<!-- written by `python -m docs.make_settings` from the package's own tables -->
# Settings

## Where to set it

Set a run's settings as arguments of `wandb_init` (for the decorated task) or of `wandb_config` (for all tasks below).
`None` means not set. [Concepts](concepts.md#settings) explains more. An unknown name, a value of the wrong type, or a
name that W&B would reject is a `SettingError` at the line that passes it.

For each setting the first match wins:

1. the argument of `wandb_init`
2. the field of its `settings=`
3. the argument of `wandb_config`
4. the field of its `settings=`
5. the environment variable
6. W&B's settings files
7. what a plugin contributes: job type and notes, and each key of `config`; a plugin's tags are added to yours
8. the default

`settings=` takes a `wandb.Settings` or a dict of its fields. Some of these fields are the same as a setting, and count
as that setting: `settings={{"mode": "offline"}}` is `mode="offline"`, in containers, ranks, links and sweeps too:

| setting | field of `settings=` | environment variable |
|---|---|---|
{fields}

These fields, and arguments with these names, are an error, because other settings decide them:

| field | what to do |
|---|---|
{refused}

Every other field is passed to W&B unchanged, and is merged with the outer settings field by field. A field that W&B
does not know is an error.

Flyte's context carries values as text. So in `wandb_config` use strings, numbers, booleans, `None`, and lists, tuples
and dicts of these. Each value arrives with its type. A setting that accepts other types elsewhere says so in its row.

## Settings of this package

{own}

## Settings of `wandb.init`

These are passed to `wandb.init` unchanged. W&B's documentation explains them; the notes list what this package adds.

{init}

## Settings of a sweep

Set them as arguments of `wandb_sweep` (for the decorated task) or of `wandb_sweep_config` (for all tasks below). The
rows from `name` on are W&B's sweep configuration; the rows before it are this package's. See
[Sweeps](sweeps.md#the-sweep).

{sweep}

## Environment variables

| variable | default | meaning |
|---|---|---|
{variables}

W&B's own variables, such as `WANDB_API_KEY`, `WANDB_MODE`, `WANDB_PROJECT`, `WANDB_ENTITY`, `WANDB_BASE_URL` and
`WANDB_DIR`, apply to every setting that is not set elsewhere. W&B's documentation describes them."""


def page() -> str:
    """Return the text of the page."""
    init = [name for name in FIELDS if name not in OWN_FIELDS]
    types = SettingArguments.__annotations__
    return _TEXT.format(
        own="\n".join([_HEAD, *_rows(OWN_FIELDS, types, MEANINGS)]),
        init="\n".join(["| setting | type | notes |", "|---|---|---|", *_plain_rows(init, types)]),
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
    """Return the variable that applies if the setting is not set, or an empty text."""
    if field in _DECIDED:
        return ""
    return f"`WANDB_{_VARIABLES.get(field, field).upper()}`"


def _meaning(name: str, meanings: Mapping[str, str]) -> str:
    if name not in meanings:
        raise SystemExit(f"add the meaning of the setting {name!r} to docs/settings_meanings.py")
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
