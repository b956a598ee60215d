"""Several processes that write to one run in shared mode."""

from __future__ import annotations

from contextlib import ExitStack

from flyte_wandb.testing import WandbServer
from tests.double.writers import shared, writer


def test_three_processes_write_one_run(server: WandbServer) -> None:
    with ExitStack() as stack:
        primary, *others = [
            stack.enter_context(
                writer("run1", settings=shared(name, primary=name == "a"), config={"by": name, name: 1})
            )
            for name in "abc"
        ]
        for process, name in zip([primary, *others], "abc", strict=True):
            process.do(f"run.log({{'{name}': 1}}); run.log({{'{name}': 2}}); run.write_logs('by {name}\\n')")
        for process in others:
            process.do("run.finish(exit_code=1)")
        assert server.run("run1").state == "running"
        primary.do("run.finish()")

    record = server.run("run1")
    assert (record.state, record.exit_code) == ("finished", 0)
    assert (record.resumed, record.restarted) == (0, 0)
    # Every writer sends its whole config once more when it finishes, so the last to finish wins.
    assert record.config == {"by": "a", "a": 1, "b": 1, "c": 1}
    assert record.summary == {"a": 2, "b": 2, "c": 2}
    assert [row["_step"] for row in record.history] == list(range(6))
    assert sorted(row[name] for row in record.history for name in "abc" if name in row) == [1, 1, 1, 2, 2, 2]
    assert sorted(record.console.splitlines()) == ["[a] by a", "[b] by b", "[c] by c"]
    assert {(one.shared, one.label, one.rows, one.completed) for one in record.writers} == {
        (True, "a", 2, True),
        (True, "b", 2, False),
        (True, "c", 2, False),
    }
    assert len({one.client_id for one in record.writers} - {None}) == len(record.writers) == 3


def test_system_metrics_tell_the_label(server: WandbServer) -> None:
    settings = {**shared("rank 0", primary=True), "x_disable_stats": False, "x_stats_sampling_interval": 0.1}
    settings["x_file_stream_transmit_interval"] = 1
    with writer("run1", settings=settings) as primary:
        server.wait_for(lambda server: server.run("run1").writers[0].label == "rank 0")
        primary.do("run.finish()")


def test_who_ends_or_joins_after_the_primary_does_not_reopen_the_run(server: WandbServer) -> None:
    with writer("run1", settings=shared("a", primary=True)) as primary, writer("run1", settings=shared("b")) as other:
        assert primary.opened == other.opened == (False, 0)
        primary.do("run.log({'a': 1}); run.finish(exit_code=3)")
        other.do("run.log({'b': 1}); run.config.update({'late': 1}); run.tags += ('late',); run.finish()")
        assert server.run("run1").state == "failed"
    with writer("run1", settings=shared("c")) as late:
        assert late.opened == (False, 0)
        assert server.run("run1").state == "failed"
        late.do("run.log({'c': 1}); run.finish()")
    record = server.run("run1")
    assert (record.state, record.exit_code, record.resumed, record.restarted) == ("failed", 3, 0, 0)
    assert [row["_step"] for row in record.history] == [0, 1, 2]
    assert (record.config, record.tags) == ({"late": 1}, ("late",))
    assert [one.label for one in record.writers] == [None] * 3, "nobody printed anything"


def test_a_primary_that_resumes_reopens_the_run(server: WandbServer) -> None:
    server.put_run("run1", project="p", state="failed", history=[{"a": 0}])
    with writer("run1", settings=shared("a", primary=True), resume="allow") as primary:
        assert primary.opened[0] is True
        assert server.run("run1").state == "running"
        primary.do("run.log({'a': 1}); run.finish()")
    record = server.run("run1")
    assert (record.state, record.resumed, record.restarted) == ("finished", 1, 0)
    assert record.history == ({"a": 0, "_step": 0}, {"a": 1, "_step": 1})
