"""W&B's own variables that its client does not take, found one by one: its own message does not name them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from .._logging import quoted

_SECRET: Final = re.compile("KEY|TOKEN|SECRET|PASS|HEADERS|PROXY|CREDENTIALS")
"""Parts of the names of variables with secret values; a proxy's address may contain a password."""

OF_LOGIN: Final = frozenset({"WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CREDENTIALS_FILE"})
"""Variables that a run which reaches no server does not need."""


def find_variable_faults(environ: Mapping[str, str]) -> dict[str, str]:
    """Return W&B's variables that its client refuses, each with what is wrong and what to do.

    >>> find_variable_faults({"WANDB_INIT_TIMEOUT": "60", "HOME": "/"})
    {}
    """
    names = (name for name in sorted(environ) if name.startswith("WANDB_"))
    faults = ((name, _variable_fault(name, environ[name])) for name in names)
    return {name: fault for name, fault in faults if fault}


@contextmanager
def without_variables(names: Iterable[str]) -> Iterator[None]:
    """Take variables out of the environment of this process for a moment."""
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


STARTS: Final[Mapping[str, str]] = {"WANDB_RESUME_FROM": "resume_from", "WANDB_FORK_FROM": "fork_from"}
"""Variables that would start every task of a process at one step of one run."""


def _variable_fault(name: str, value: str) -> str | None:
    import wandb

    if value and name in STARTS:
        return (
            f"{name}={quoted(value)}: it would apply to every task, and W&B cannot combine it with another start "
            f"of a run; set {STARTS[name]}= in wandb_init or wandb_config, and unset the variable"
        )
    try:
        wandb.Settings().update_from_env_vars({name: value})
    except Exception as error:
        setting = name if _SECRET.search(name) else f"{name}={quoted(value)}"
        return f"{setting}: {_reason(error)}; correct the variable, or unset it"
    return None


def _reason(error: Exception) -> str:
    """Return an error's text without the value. W&B checks its settings with pydantic, which quotes the value."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error)
