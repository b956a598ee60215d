"""Plugins in real local runs: what they add to a run, and what they observe of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import (
    Plan,
    PluginError,
    Request,
    get_wandb_run,
    hookimpl,
    plan,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb.runs import _run_hooks
from tests.checkout import process_environ
from tests.conftest import LocalRun, own_config
from tests.distributions import install
from tests.links.rendering import wire_links
from tests.messages import own_messages
from tests.offline import by_id
from tests.programs import run_python
from tests.remote import run_action

env = flyte.TaskEnvironment(name="plugins")

pytestmark = pytest.mark.usefixtures("offline")


@wandb_init(run_mode="new", id="mine", tags=["user"], config={"lr": 0.1}, job_type="train")
@env.task
async def child(x: int) -> str:
    run = get_wandb_run()
    assert run is not None
    if x < 0:
        raise ValueError("no negative x")
    return run.id


@wandb_init(config={"joined": True})
@env.task
async def joiner(x: int) -> str:
    return await child(x)


@wandb_init(id="top")
@env.task
async def top(x: int) -> str:
    return await joiner(x)


class Adds:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def contribute_run_settings(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def test_what_plugins_add_stands_behind_what_the_user_set(run_local: LocalRun, tmp_path: Path) -> None:
    first = Adds({"tags": ["acme", "user"], "config": {"lr": 9, "centre": 1}, "notes": "a", "job_type": "other"})
    second = Adds({"tags": ["zeta"], "config": {"centre": 2, "zeta": True}, "notes": "z"})
    with use_plugin(second, name="zeta"), use_plugin(first, name="acme"), use_plugin(Adds(None), name="none"):
        run_local(child, 1)
    log = by_id(tmp_path)["mine"]
    assert log.tags == ["user", "acme", "zeta"]
    assert own_config(log) == {"lr": 0.1, "centre": 1, "zeta": True}
    assert log.notes == "a"
    assert log.job_type == "train"


def test_who_joins_a_run_adds_nothing_to_it(run_local: LocalRun, tmp_path: Path) -> None:
    class PerAction:
        @hookimpl
        def contribute_run_settings(self, request: Request, plan: Plan) -> dict[str, Any]:
            return {"config": {request.task_name: plan.run_id}}

    with use_plugin(PerAction()):
        run_local(top, 1)
    found = by_id(tmp_path)
    assert own_config(found["top"]) == {"plugins.top": "top", "joined": True}
    assert own_config(found["mine"]) == {"plugins.child": "mine", "lr": 0.1}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            "acme",
            "contribute_run_settings of plugin 'acme' answered 'acme', which is ignored: expected a mapping with some "
            "of tags, config, notes, job_type, got str",
        ),
        (
            {"tag": ["a"]},
            "contribute_run_settings of plugin 'acme' answered {'tag': ['a']}, which is ignored: tag: only tags, "
            "config, notes, job_type can be added",
        ),
        (
            {"tags": "acme"},
            "contribute_run_settings of plugin 'acme' answered {'tags': 'acme'}, which is ignored: tags: expected a "
            "list or tuple of strings, got str",
        ),
        (
            RuntimeError("no cost centre"),
            "the task continues: plugin 'acme' failed in contribute_run_settings: RuntimeError: no cost centre",
        ),
        (SystemExit(3), "the task continues: plugin 'acme' failed in contribute_run_settings: SystemExit: 3"),
    ],
)
def test_a_contribution_that_cannot_be_used_is_left_out_and_told(
    answer: Any, message: str, run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with use_plugin(Adds(answer), name="acme"), use_plugin(Adds({"tags": ["kept"]}), name="other"):
        assert run_local(child, 1) == "mine"
    assert by_id(tmp_path)["mine"].tags == ["user", "kept"]
    assert own_messages(caplog) == [message]


class Raises(Mapping[str, Any]):
    """A mapping of a plugin's own, which fails when it is read."""

    def __getitem__(self, key: str) -> Any:
        raise LookupError("no cost centre")

    def __iter__(self) -> Iterator[str]:
        return iter(["config"])

    def __len__(self) -> int:
        return 1


def holds_itself() -> dict[str, Any]:
    config: dict[str, Any] = {}
    config["again"] = [config]
    return config


UNWRITABLE: list[tuple[Any, str]] = [
    ({"config": {4711: "centre"}}, "config: the key 4711 of config is of type int, but W&B accepts only strings"),
    ({"config": {"centre": object()}}, "config: config['centre'] is of type object, which W&B cannot write"),
    (
        {"config": {"\ud800": 1}},
        "config: the key '\\ud800' of config contains half a surrogate pair, which W&B cannot write",
    ),
    ({"config": holds_itself()}, "it cannot be read: RecursionError: maximum recursion depth exceeded"),
    ({"config": Raises()}, "it cannot be read: LookupError: no cost centre"),
    (Raises(), "it cannot be read: LookupError: no cost centre"),
    ({"tags": ["acme", "\ud800"]}, "tags: 'utf-8' codec can't encode"),
    ({"notes": "\ud800"}, "notes: 'utf-8' codec can't encode"),
    ({"job_type": "\ud800"}, "job_type: 'utf-8' codec can't encode"),
]


def test_what_w_and_b_cannot_write_is_left_out_and_told_and_the_task_goes_on(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writable = {"tags": ["kept"], "config": {"a": {1}, "b": {2: b"x"}, "c": int}}
    with ExitStack() as plugins:
        for number, (answer, _) in enumerate([*UNWRITABLE, (writable, "")]):
            plugins.enter_context(use_plugin(Adds(answer), name=f"acme{number}"))
        assert run_local(child, 1) == "mine"
    log = by_id(tmp_path)["mine"]
    assert (log.tags, log.exit_code) == (["user", "kept"], 0)
    assert own_config(log) == {"lr": 0.1, "a": [1], "b": {"2": "x"}, "c": "builtins.int"}
    told = own_messages(caplog)
    assert len(told) == len(UNWRITABLE)
    for number, (message, (_, fault)) in enumerate(zip(told, UNWRITABLE, strict=True)):
        assert message.startswith(f"contribute_run_settings of plugin 'acme{number}' answered ")
        assert f", which is ignored: {fault}" in message


class PerDomain:
    @hookimpl(wrapper=True)
    def compute_run_id(self, request: Request) -> Generator[None, str, str]:
        run_id = yield
        return f"{request.flyte_project}-{request.flyte_domain}-{run_id}"


def test_hooks_are_given_flytes_project_and_domain_in_a_task_and_in_its_link(tmp_path: Path) -> None:
    with use_plugin(PerDomain()):
        asyncio.run(run_action(child, folder=tmp_path, x=1))
        links = wire_links(child, wandb_config(project="p", entity="e"))
    assert set(by_id(tmp_path)) == {"project-development-mine"}
    assert [link.rpartition("/")[2] for link in links.values()] == ["project-development-mine"]


class Watches:
    def __init__(self, name: str, seen: list[tuple[Any, ...]]) -> None:
        self.name = name
        self.seen = seen

    @hookimpl
    def run_started(self, request: Request, plan: Plan, run: Any) -> None:
        self.seen.append((self.name, "started", request.task_name, plan.role.value, run.id))

    @hookimpl
    def run_finished(self, plan: Plan, run: Any, error: BaseException | None) -> None:
        self.seen.append((self.name, "finished", plan.run_id, run.id, repr(error)))


def test_observers_are_told_of_every_start_and_end_by_name(run_local: LocalRun) -> None:
    seen: list[tuple[Any, ...]] = []
    with use_plugin(Watches("b", seen), name="b"), use_plugin(Watches("a", seen), name="a"):
        run_local(top, 1)
    assert [one[0] for one in seen] == ["a", "b"] * 6
    assert (
        [one[1:] for one in seen[::2]]
        == [one[1:] for one in seen[1::2]]
        == [
            ("started", "plugins.top", "primary", "top"),
            ("started", "plugins.joiner", "join", "top"),
            ("started", "plugins.child", "primary", "mine"),
            ("finished", "mine", "mine", "None"),
            ("finished", "top", "top", "None"),
            ("finished", "top", "top", "None"),
        ]
    )


def test_contributors_are_asked_only_where_a_run_is_opened(run_local: LocalRun) -> None:
    asked: list[str] = []

    class Counts:
        @hookimpl
        def contribute_run_settings(self, plan: Plan) -> None:
            asked.append(plan.role.value)

    with use_plugin(Counts()):
        run_local(top, 1)
    assert asked == ["primary", "primary"]


def test_an_observer_is_told_what_the_task_raised(run_local: LocalRun) -> None:
    seen: list[tuple[Any, ...]] = []
    with use_plugin(Watches("a", seen)), pytest.raises(flyte.errors.RuntimeUserError, match="no negative x"):
        run_local(child, -1)
    assert seen[-1] == ("a", "finished", "mine", "mine", "ValueError('no negative x')")


class Fails:
    @hookimpl
    def run_started(self) -> None:
        raise RuntimeError("no webhook")

    @hookimpl
    def run_finished(self) -> None:
        raise SystemError("none here either")


def test_an_observer_that_fails_harms_neither_task_nor_other_observers(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[Any, ...]] = []
    with use_plugin(Fails(), name="acme"), use_plugin(Watches("later", seen), name="later"):
        assert run_local(child, 1) == "mine"
    assert [one[1] for one in seen] == ["started", "finished"]
    assert by_id(tmp_path)["mine"].exit_code == 0
    assert own_messages(caplog) == [
        "the task continues: plugin 'acme' failed in run_started: RuntimeError: no webhook",
        "the task continues: plugin 'acme' failed in run_finished: SystemError: none here either",
    ]


def test_an_observer_that_hangs_is_left_behind(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, ended = threading.Event(), threading.Event()

    class Hangs:
        @hookimpl
        def run_finished(self) -> None:
            released.wait()
            ended.set()

    monkeypatch.setattr(_run_hooks, "OBSERVER_SECONDS", 0.01)
    with use_plugin(Hangs(), name="acme"):
        assert run_local(child, 1) == "mine"
    assert not ended.is_set()
    released.set()
    assert ended.wait(60)
    assert by_id(tmp_path)["mine"].exit_code == 0
    (message,) = own_messages(caplog)
    assert message.startswith(
        "run_finished of plugin 'acme' is still running after 0.01 s; the task no longer waits for it"
    )


def test_the_decisions_of_a_task_and_their_authors_are_logged_for_debugging(
    run_local: LocalRun, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "flyte_wandb"):
        run_local(child, 1)
    lines = [message for message in own_messages(caplog) if message.startswith("action ")]
    assert [line.partition(": ")[2] for line in lines] == [
        "locate_rank -> Part(label=None, index=0, size=1) by plugin 'builtin'",
        "choose_initializer -> <Role.PRIMARY: 'primary'> by plugin 'builtin'",
        "compute_run_id -> 'mine' by plugin 'builtin'",
        "compute_group -> Group(name=None) by plugin 'builtin'",
    ]


def test_a_plugin_of_the_submitter_that_is_missing_here_stops_the_task_with_the_remedy(
    run_local: LocalRun, tmp_path: Path
) -> None:
    context = {"_wandb_plugins": '{"acme": "acme-names 1.2"}'}
    with pytest.raises(flyte.errors.RuntimeUserError) as caught:
        run_local(child, 1, context=context)
    assert (
        "plugin 'acme' (acme-names 1.2), which was installed where this task was submitted, is missing here; add "
        "`acme-names` to the task's image, or leave the plugin out where it is submitted with "
        "FLYTE_WANDB_DISABLE_PLUGINS=acme"
    ) in str(caught.value)
    assert by_id(tmp_path) == {}


@pytest.mark.parametrize(
    ("context", "warned"),
    [({}, False), ({"team": "a"}, False), ({"wandb_project": "p"}, True), ({"_wandb_run_id": "r"}, True)],
)
def test_a_plugin_that_only_the_container_has_is_told_where_the_submitter_could_tell(
    context: dict[str, str], warned: bool, tmp_path: Path
) -> None:
    install(tmp_path, "acme-names", "")
    code = f"from flyte_wandb.plugins._versions import check_plugins; check_plugins({context!r})"
    environ = process_environ(tmp_path)
    result = run_python("-c", code, folder=tmp_path, environ=environ)
    expected = (
        "plugin 'acme-names' (acme-names 1.0) is installed here and was not where this task was submitted: run ids and "
        "links may differ; install it there, too, or leave it out here with FLYTE_WANDB_DISABLE_PLUGINS=acme-names\n"
    )
    assert result.stderr == (expected if warned else "")


def test_a_tracked_parent_tells_its_plugins_to_its_children(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", "from flyte_wandb import hookimpl\n@hookimpl\ndef run_started(run): ...")
    (tmp_path / "job.py").write_text(JOB)
    environ = process_environ(tmp_path, {"WANDB_MODE": "offline"})
    result = run_python("job.py", folder=tmp_path, environ=environ)
    assert result.stdout.splitlines()[-1] == '{"acme-names": "acme-names 1.0"}', result.stderr


JOB = """
import flyte
from flyte_wandb import wandb_init

env = flyte.TaskEnvironment(name="job")

@env.task  # not tracked: it sees what its parent hands on
async def child() -> str:
    return flyte.ctx().custom_context["_wandb_plugins"]

@wandb_init
@env.task
async def parent() -> str:
    return await child()

flyte.init()
print(flyte.with_runcontext(mode="local").run(parent).outputs()[0])
"""


def test_a_context_that_is_no_list_of_plugins_is_told(run_local: LocalRun) -> None:
    with pytest.raises(
        flyte.errors.RuntimeUserError, match=r"_wandb_plugins='oops' in Flyte's context is not a list of"
    ):
        run_local(child, 1, context={"_wandb_plugins": "oops"})


def test_a_plugin_is_used_until_its_block_ends() -> None:
    class Names:
        @hookimpl
        def compute_run_id(self) -> str:
            return "acme"

    asked = Request(run_name="r1", action_name="a0")
    with use_plugin(Names()):
        assert plan(asked).run_id == "acme"
        with pytest.raises(PluginError, match="two plugins are called 'Names'"), use_plugin(Names()):
            pass
        assert plan(asked).run_id == "acme"
    assert plan(asked).run_id == "r1-a0"
    with pytest.raises(KeyError), use_plugin(Names()):
        raise KeyError
    assert plan(asked).run_id == "r1-a0"
