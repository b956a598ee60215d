"""How hard a server is asked, and what of it can be set."""

from __future__ import annotations

import threading

import pytest

from flyte_wandb import SettingError
from flyte_wandb.results._workers import Stop, StoppedError, Workers
from flyte_wandb.results.downloads._limits import DownloadLimits, read_limits
from flyte_wandb.wandb_client._reader import choose_page_size


def test_what_is_not_set_is_the_default() -> None:
    assert read_limits({}) == DownloadLimits() == DownloadLimits(at_once=16, patience=300, artifacts_gib=1)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FLYTE_WANDB_DOWNLOAD_AT_ONCE", "0"),
        ("FLYTE_WANDB_DOWNLOAD_AT_ONCE", "many"),
        ("FLYTE_WANDB_DOWNLOAD_PATIENCE", "-1"),
        ("FLYTE_WANDB_DOWNLOAD_PATIENCE", "1 minute"),
        ("FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB", "1 GiB"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"{variable}='{text}'"):
        read_limits({variable: text})


def test_waits_grow_and_their_sum_is_bounded() -> None:
    waits = list(DownloadLimits(patience=300).waits())
    assert waits[:4] == [0.5, 1, 2, 4]
    assert max(waits) == 60
    assert 240 < sum(waits) <= 300
    assert list(DownloadLimits(patience=0).waits()) == []


@pytest.mark.parametrize(
    ("lines", "steps", "expected"),
    [
        (None, 10**9, 1000),
        (5_000, 5_000, 1000),
        (5_000, 50_000_000, 10_000_000),
        (20_000, 50_000_000, 10_000),
        (1_000_000, 1_000_000, 1000),
    ],
)
def test_a_page_of_the_history_holds_many_rows_and_never_too_many(lines: int | None, steps: int, expected: int) -> None:
    assert choose_page_size(lines, lambda: steps) == expected


def test_no_more_calls_run_at_a_time_than_there_are_workers() -> None:
    go, both, third = threading.Event(), threading.Barrier(3), threading.Event()

    def wait() -> None:
        both.wait()
        go.wait()

    with Workers(2, Stop()) as workers:
        calls = [workers.submit(wait), workers.submit(wait), workers.submit(third.set)]
        both.wait()
        assert not third.is_set()
        go.set()
        workers.results(calls)
    assert third.is_set()


def test_a_stop_ends_waits_and_starts_nothing_more() -> None:
    stop, started, later = Stop(), threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        stop.wait(600)

    with Workers(1, stop) as workers:
        calls = [workers.submit(wait), workers.submit(later.set)]
        started.wait()
        stop.set()
        with pytest.raises(StoppedError):
            workers.results(calls)
    assert not later.is_set()


def test_a_call_that_fails_keeps_no_other_from_its_result() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Workers(2, Stop()) as workers:
        failed, made = workers.results([workers.submit(fail), workers.submit(lambda: 3)])
    assert (str(failed), made) == ("no", 3)
