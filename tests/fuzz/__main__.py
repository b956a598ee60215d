"""Fuzz each target for `FUZZ_SECONDS` (600), or those that are named: ``python -m tests.fuzz log manifest``.

Ends with 1 where something was found. What was found is kept in `.hypothesis`, and tried first by the next call.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.targets import TARGETS

ROUND = 100
"""Examples between two looks at the clock. With each round hypothesis starts anew, with another seed."""


def fuzz(name: str, target: Callable[[], None], seconds: float, database: Path) -> bool:
    """Fuzz one target, print a line about it, and return whether nothing was found."""
    count = 0
    ends = time.monotonic() + seconds
    phases = [Phase.reuse, Phase.generate, Phase.shrink]
    inner = target.hypothesis.inner_test  # type: ignore[attr-defined]

    def counted(*arguments: object, **named: object) -> None:
        nonlocal count
        if time.monotonic() < ends or count == 0:
            count += 1
            inner(*arguments, **named)

    target.hypothesis.inner_test = counted  # type: ignore[attr-defined]
    run = settings(
        max_examples=ROUND,
        deadline=None,
        phases=phases,
        suppress_health_check=[*HealthCheck],
        database=DirectoryBasedExampleDatabase(database),
    )(target)
    try:
        while time.monotonic() < ends:
            run()
    except Exception:
        print(f"{name}: found after {count:,} examples\n{traceback.format_exc()}", flush=True)
        return False
    finally:
        target.hypothesis.inner_test = inner  # type: ignore[attr-defined]
    print(f"{name}: nothing in {count:,} examples, {seconds:g} s", flush=True)
    return True


def main() -> int:
    """Fuzz what is named, in a folder that is gone afterwards."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    database = Path(".hypothesis", "fuzz").absolute()
    logging.getLogger("flyte_wandb").setLevel(logging.CRITICAL)  # it warns of what is wrong, and nearly all is
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(HOME=folder, WANDB_DIR=folder, TMPDIR=folder)
        tempfile.tempdir = folder
        whole = [fuzz(name, TARGETS[name], seconds, database) for name in sys.argv[1:] or TARGETS]
    return int(not all(whole))  # of all of them: one that finds something keeps no other from being fuzzed


if __name__ == "__main__":
    sys.exit(main())
