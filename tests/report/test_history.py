"""Reading a run's own log: what a real client wrote, whole, in stretches, and torn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import wandb

from flyte_wandb.results.report._history import MOST_NAMES, MOST_PLOTS, read_history
from flyte_wandb.wandb_client import _log_values as _logged_values
from flyte_wandb.wandb_client._log_values import choose_stretches

Write = Callable[..., Path]


@pytest.fixture
def write(offline: None) -> Write:
    """Write the log of an offline run, and return its path."""

    def written(*rows: dict[str, object], removed: str | None = None, **config: object) -> Path:
        run = wandb.init(project="p", id="r1", reinit="create_new", config=config)
        for row in rows:
            run.log(row)
        run.summary["best"] = 0.5
        if removed:
            del run.summary[removed]  # type: ignore[no-untyped-call]
        run.config["late"] = 1
        run.finish()
        return Path(run.settings.sync_file)

    return written


def test_a_log_is_read_whole(write: Write) -> None:
    found = read_history(write({"a": 1.5, "n": {"b": math.nan}}, {"a": 2, "s": "x", "t": True, "z": None}, lr=0.1))
    assert (found.rows, found.last_step, found.share, found.whole) == (2, 1, 1.0, True)
    assert {name: (series.count, series.holes) for name, series in found.series.items()} == {"a": (2, 0), "n.b": (0, 1)}
    assert found.config == {"lr": "0.1", "late": "1"}
    assert found.summary["best"] == "0.5"
    assert not [name for name in found.summary if name.startswith("_")]


def test_what_was_removed_from_the_summary_is_not_there(write: Write) -> None:
    assert "a" not in read_history(write({"a": 1}, removed="a")).summary


def test_metrics_without_a_plot_have_their_last_value_and_names_are_bounded(write: Write) -> None:
    many = {f"m{number:04}": number for number in range(MOST_PLOTS + MOST_NAMES + 50)}
    found = read_history(write(many, many))
    assert len(found.series) == MOST_PLOTS
    assert len(found.others) == MOST_NAMES
    assert len(found.summary) <= MOST_NAMES


def test_of_a_large_log_stretches_are_read_up_to_its_end(write: Write) -> None:
    path = write(*({"a": step, "pad": "x" * 500} for step in range(6000)))
    size = path.stat().st_size
    found = read_history(path, most=size // 4)
    series = found.series["a"]
    assert 0.2 < found.share < 0.3
    assert found.whole
    assert 1000 < found.rows < 3000
    assert (series.low, series.high, found.last_step) == (0, 5999, 5999)
    assert series.count == found.rows, "a row was read half"


def test_a_torn_log_is_read_up_to_its_tear(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_logged_values, "_PATIENCE", 0.0)
    path = write(*({"a": step} for step in range(100)))
    _logged_values.wait_for_end(path)
    wandb.teardown()
    path.write_bytes(path.read_bytes()[:9000])
    found = read_history(path)
    assert 0 < found.rows < 100
    assert not found.whole


@pytest.mark.parametrize("size", [1, 2**18, 2**20, 10**8 + 7])
@pytest.mark.parametrize("most", [1, 2**18, 2**20])
def test_stretches_go_from_the_start_to_the_end_and_do_not_overlap(size: int, most: int) -> None:
    found = choose_stretches(size, most=most)
    assert (found[0][0], found[-1][1]) == (0, size)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    assert sum(end - start for start, end in found) <= max(most, 2 * 2**18)
