"""Downloads against the same with W&B's client by hand, from a server that needs 40 ms for every answer.

The server runs in this process, each download in a fresh one, which notes its time without the imports and the start
of W&B's service.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import Progress

from flyte_wandb.testing import WandbServer

from ._counts import Counts
from ._growth_history import fetched
from ._progress import ticker
from ._rows import Row, ceiling_row, difference_row, ratio_row
from ._samples import Samples, alternated

_LATENCY: Final = 0.04
_FILES: Final = 64
_RUNS: Final = 100
_SHORT, _LONG = 2_000, 200_000
_FILES_LIMIT: Final = 1 / 6
_RUNS_LIMIT: Final = 1 / 8
_MEMORY_LIMIT: Final = 32.0
_BLOCK_LIMIT: Final = 0.05


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure one run with many files, a sweep of many runs, the memory of a long history, and the event loop."""
    with WandbServer() as server:
        put_files(server)
        _put_rows(server)
        sweep = put_sweep(server)
        environ = server.environ | {"WANDB_MODE": "online"}
        fetch = partial(fetched, folder, environ)
        lengths = [partial(fetch, "peak", f"rows-{rows}") for rows in (_LONG, _SHORT)]
        long, short = alternated(counts.downloads, lengths, ticker(progress, "a long history", counts.downloads))
        server.slow("*", _LATENCY)
        files = [partial(fetch, how, "files") for how in ("run", "run-by-hand", "loop")]
        ours, by_hand, blocks = alternated(counts.downloads, files, ticker(progress, "many files", counts.downloads))
        runs = [partial(fetch, how, sweep) for how in ("sweep", "sweep-by-hand")]
        ours_of_sweep, sweep_by_hand = alternated(counts.downloads, runs, ticker(progress, "a sweep", counts.downloads))
    name = f"{_FILES} files at 40 ms"
    return [
        ratio_row(f"downloading {name} / W&B's client", _seconds(ours), _seconds(by_hand), _FILES_LIMIT),
        ratio_row(
            f"downloading a sweep of {_RUNS} runs at 40 ms / W&B's client",
            _seconds(ours_of_sweep),
            _seconds(sweep_by_hand),
            _RUNS_LIMIT,
        ),
        difference_row(
            f"downloading a history of {_LONG:,} rows - of {_SHORT:,}: peak memory",
            Samples(long, "MiB", 1),
            Samples(short, "MiB", 1),
            _MEMORY_LIMIT,
        ),
        ceiling_row(f"downloading {name} in an async task: longest block of the loop", Samples(blocks), _BLOCK_LIMIT),
    ]


def _seconds(values: list[float]) -> Samples:
    return Samples(values, "s", 1)


def put_files(server: WandbServer) -> None:
    """Put a run with many files there."""
    server.put_run("files", project="p", files={f"{number}.bin": os.urandom(10_000) for number in range(_FILES)})


def put_sweep(server: WandbServer) -> str:
    """Put a sweep of many runs there, and return its id."""
    sweep = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    for number in range(_RUNS):
        files = {"a.txt": b"a" * 1000}
        server.put_run(f"trial-{number}", project="p", sweep=sweep, history=[{"loss": 0.5}] * 10, files=files)
    return sweep


def _put_rows(server: WandbServer) -> None:
    for rows in (_SHORT, _LONG):
        server.put_run(f"rows-{rows}", project="p", history=({"loss": 1 / (1 + step)} for step in range(rows)))
