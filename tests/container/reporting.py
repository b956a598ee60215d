"""A task that says what its process is like, for warm and cold ones to be compared."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import uuid
from contextlib import closing
from pathlib import Path

import flyte
import rich.syntax
import wandb.apis.public
import yaml

LOADED = (rich.syntax, wandb.apis.public, yaml)  # as in a warm process, for what they leave behind
env = flyte.TaskEnvironment(name="reporting")


@env.task
def state() -> str:
    """Return what has to be the same in every process."""
    main = sys.modules["__main__"]
    logger = logging.getLogger("flyte")
    found = {
        "arguments": [sys.argv[0], *sys.argv[-4:]],
        "command": [sys.executable, *sys.orig_argv[1:3], *sys.orig_argv[-4:]],
        "path": sys.path,
        "flags": str(sys.flags),
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "main": sorted(vars(main)),
        "group": [os.getpgid(0), os.getsid(0)],
        "mask": os.umask(0o022),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "handlers": [_kind(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "threads": sorted(thread.name.partition("-")[0] for thread in threading.enumerate()),
        "logging": [
            f"{handler.level} {type(handler).__name__}" for handler in (*logger.handlers, *logging.root.handlers)
        ],
        "streams": [[stream.line_buffering, stream.encoding, stream.errors] for stream in (sys.stdout, sys.stderr)],
        "hooks": [sys.excepthook.__name__, _kind_of_loop()],
        "own modules": sorted(name for name in sys.modules if name.startswith("tests")),
    }
    return json.dumps(found)


def _kind_of_loop() -> str:
    """Return which event loop this process makes: a library may have put in another."""
    with closing(asyncio.new_event_loop()) as loop:
        return f"{type(loop).__module__}.{type(loop).__name__}"


def _kind(handler: object) -> str:
    return str(handler) if isinstance(handler, int) else getattr(handler, "__name__", type(handler).__name__)


@env.task
def identity() -> list[str]:
    """Return what no two processes share: ids, random numbers, and the folder that W&B makes when it is imported."""
    import numpy as np
    from wandb.sdk.data_types._private import MEDIA_TMP
    from wandb.sdk.lib import runid

    assert Path(MEDIA_TMP.name).is_dir()
    with tempfile.NamedTemporaryFile() as file:
        drawn = [random.random(), np.random.random(), runid.generate_id(), uuid.uuid4()]
        return [str(os.getpid()), MEDIA_TMP.name, file.name, *map(str, drawn)]
