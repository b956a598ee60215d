"""Plugins that are asked: who answered, who wrapped, in which order, and errors that name them."""

from __future__ import annotations

import threading
import types
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from flyte_wandb import (
    Group,
    HookError,
    HookSpecs,
    Part,
    Plan,
    PlanRefusedError,
    PluginError,
    RefusedError,
    Request,
    Role,
    Strategy,
    StrategyManager,
    Topology,
    UnansweredError,
    hookimpl,
    plan,
    strategy_argument,
)
from flyte_wandb.plans._plan import detect_topology
from tests.pure.worlds import ALONE, launched, manager, plan_text, plans, request
from tests.slips import SLIPS, Slip


class Island:
    """A third-party rank scope with an argument: ``island:4`` puts every 4 ranks into a part."""

    @hookimpl
    def list_strategies(self) -> Sequence[Strategy]:
        return [Strategy(kind="rank_scope", name="island", summary="parts of some ranks each")]

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        if request.rank_scope != "island":
            return None
        size = int(strategy_argument(request.settings.rank_scope) or 0)
        if size < 1:
            raise PlanRefusedError(f"rank scope {request.settings.rank_scope!r}: an island has at least one rank")
        island, index = divmod(request.topology.rank, size)
        return Part(label=f"island-{island}", index=index, size=size)


class Acme:
    """A naming rule of an organisation."""

    @hookimpl(wrapper=True)
    def compute_run_id(self, request: Request) -> Generator[None, str, str]:
        run_id = yield
        return f"acme-{run_id}"


class Says:
    """Answers one hook with one value."""

    def __init__(self, hook: str, value: Any) -> None:
        def answer() -> Any:
            if isinstance(value, BaseException):
                raise value
            return value

        setattr(self, hook, hookimpl(answer))


ISLANDS = [
    ("auto", ["solo acme-r1-a0-island-0", "skip", "solo acme-r1-a0-island-1", "skip"]),
    (
        "shared",
        [
            "primary acme-r1-a0-island-0",
            "secondary acme-r1-a0-island-0",
            "primary acme-r1-a0-island-1",
            "secondary acme-r1-a0-island-1",
        ],
    ),
    (
        "new",
        [
            "solo acme-r1-a0-island-0-rank-0 in r1-a0-island-0",
            "solo acme-r1-a0-island-0-rank-1 in r1-a0-island-0",
            "solo acme-r1-a0-island-1-rank-0 in r1-a0-island-1",
            "solo acme-r1-a0-island-1-rank-1 in r1-a0-island-1",
        ],
    ),
]


@pytest.mark.parametrize(("mode", "expected"), ISLANDS)
def test_a_scope_and_a_naming_rule_of_third_parties_work_in_every_run_mode(mode: str, expected: list[str]) -> None:
    found = plans(launched(1, 3), manager(island=Island(), acme=Acme()), run_mode=mode, rank_scope="island:2")
    assert [plan_text(one) for one in found] == expected


def test_every_step_names_who_answered_and_who_wrapped() -> None:
    found = plan(request(launched(4)[0], rank_scope="island:2"), manager(island=Island(), acme=Acme()))
    assert [(step.hook, step.value, step.plugin, step.wrapped_by) for step in found.steps] == [
        ("locate_rank", Part(label="island-0", index=0, size=2), "island", ()),
        ("choose_initializer", Role.SOLO, "builtin", ()),
        ("compute_run_id", "acme-r1-a0-island-0", "builtin", ("acme",)),
        ("compute_group", Group(name=None), "builtin", ()),
    ]


def test_a_plugin_that_refuses_is_named_with_its_own_words() -> None:
    with pytest.raises(
        RefusedError, match=r"^rank scope 'island:0': an island has at least one rank \(refused by plugin 'island' in"
    ):
        plan(request(rank_scope="island:0"), manager(island=Island()))


@pytest.mark.parametrize(
    ("plugins", "answered"),
    [
        (["first"], "first"),
        (["first", "second"], "second"),
        (["second", "first"], "first"),
    ],
)
def test_the_plugin_that_was_registered_last_is_asked_first(plugins: list[str], answered: str) -> None:
    found = plan(request(), manager(**{name: Says("compute_run_id", f"by-{name}") for name in plugins}))
    assert (found.run_id, found.steps[2].plugin) == (f"by-{answered}", answered)


def test_a_plugin_that_answers_none_leaves_the_answer_and_the_credit_to_the_next() -> None:
    found = plan(request(), manager(silent=Says("compute_run_id", None)))
    assert (found.run_id, found.steps[2].plugin) == ("r1-a0", "builtin")


def test_wrappers_are_credited_all_and_the_last_one_has_the_last_word() -> None:
    class Outer:
        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, str]:
            run_id = yield
            return f"outer-{run_id}"

    step = plan(request(), manager(acme=Acme(), outer=Outer())).steps[2]
    assert step.value == "outer-acme-r1-a0"
    assert sorted(step.wrapped_by) == ["acme", "outer"]


def test_a_wrapper_that_answers_where_nobody_does_is_credited_with_the_answer() -> None:
    class Fallback:
        @hookimpl(wrapper=True)
        def detect_topology(self, environ: Mapping[str, str]) -> Generator[None, Topology | None, Topology]:
            found = yield
            return found or Topology(launcher="slurm")

    strategies = manager(slurm=Fallback())
    step = strategies.ask("detect_topology", lambda value: None, environ={})
    assert step is not None
    assert (step.value, step.plugin) == (Topology(launcher="slurm"), "slurm")
    assert detect_topology({}, strategies) == Topology(launcher="slurm")


def test_a_wrapper_that_plans_another_action_meanwhile_keeps_the_credits_apart() -> None:
    strategies = manager()

    class NamesA1:
        @hookimpl
        def compute_run_id(self, request: Request) -> str | None:
            return "first" if request.action_name == "a1" else None

        @hookimpl
        def compute_group(self, request: Request) -> Group | None:
            return Group(name="first") if request.action_name == "a1" else None

    class AfterA1:
        @hookimpl(wrapper=True)
        def compute_run_id(self, request: Request) -> Generator[None, str, str]:
            run_id = yield
            if request.action_name == "a1":
                return run_id
            return f"{run_id}-after-{plan(replace(request, action_name='a1'), strategies).run_id}"

    strategies.register(NamesA1(), name="names")
    strategies.register(AfterA1(), name="after")
    step = plan(request(), strategies).steps[2]
    assert (step.value, step.plugin) == ("r1-a0-after-first", "builtin")


BAD_ANSWERS: list[tuple[str, object, str]] = [
    ("locate_rank", "worker-1", "a part is a Part, not str; return Part(label=..., index=..., size=...)"),
    (
        "choose_initializer",
        "solo",
        "a role is a Role, not str; return one of Role.SKIP, Role.SOLO, Role.PRIMARY, Role.SECONDARY, Role.JOIN, "
        "Role.MONITOR",
    ),
    ("compute_run_id", 7, "a run id must be a string, not int"),
    ("compute_run_id", "", "a run id must not be empty, or start or end with white space"),
    ("compute_run_id", " r1", "a run id must not be empty, or start or end with white space"),
    ("compute_run_id", "a" * 129, "a run id has at most 128 characters; this one has 129"),
    ("compute_run_id", "team/r1", "a run id must not contain '/'; W&B rejects :;,#?/%'"),
    (
        "compute_group",
        "mine",
        "a group is a Group, not str; return Group(name=...); Group(name=None) means no group",
    ),
    ("compute_group", Group(name="g" * 129), "a group has at most 128 characters; this one has 129"),
    ("compute_group", Group(name=""), "a group must not be empty, or start or end with white space"),
]


@pytest.mark.parametrize(("hook", "value", "fault"), BAD_ANSWERS)
def test_an_answer_that_cannot_be_used_is_named_with_hook_plugin_and_value(
    hook: str, value: object, fault: str
) -> None:
    with pytest.raises(HookError) as caught:
        plan(request(), manager(odd=Says(hook, value)))
    assert str(caught.value) == f"{hook} of plugin 'odd' answered {value!r}: {fault}"
    assert caught.value.plugin == "odd"


def test_a_topology_that_is_none_is_named_too() -> None:
    with pytest.raises(HookError, match=r"^detect_topology of plugin 'odd' answered \(0, 1\): a topology is a Topol"):
        detect_topology({}, manager(odd=Says("detect_topology", (0, 1))))


def test_a_wrapper_that_spoils_the_answer_is_named_beside_its_author() -> None:
    class Spoils:
        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, None]:
            yield

    with pytest.raises(
        HookError,
        match=r"^compute_run_id of plugin 'builtin', wrapped by 'spoils', answered None: the answer got lost in",
    ):
        plan(request(), manager(spoils=Spoils()))


@pytest.mark.parametrize("hook", ["locate_rank", "choose_initializer", "compute_run_id", "compute_group"])
def test_an_exception_in_a_hook_names_plugin_and_hook_and_keeps_its_cause(hook: str) -> None:
    error = KeyError("lost")
    with pytest.raises(HookError, match=rf"^plugin 'odd' failed in {hook}: KeyError: 'lost'$") as caught:
        plan(request(), manager(odd=Says(hook, error)))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_in_a_wrapper_names_the_wrapper(late: bool) -> None:
    class Fails:
        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, str]:
            run_id = (yield) if late else "early"
            raise OSError(run_id)

    with pytest.raises(HookError, match=r"^plugin 'fails' failed in compute_run_id: OSError: (early|r1-a0)$"):
        plan(request(), manager(fails=Fails()))


def test_an_exception_that_passes_through_a_wrapper_names_the_one_who_raised_it() -> None:
    with pytest.raises(HookError, match=r"^plugin 'odd' failed in compute_run_id: OSError: gone$"):
        plan(request(), manager(odd=Says("compute_run_id", OSError("gone")), acme=Acme()))


def test_an_interrupt_in_a_hook_stays_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        plan(request(), manager(odd=Says("compute_run_id", KeyboardInterrupt())))


def test_a_join_without_a_parent_names_the_plugin_that_asked_for_it() -> None:
    with pytest.raises(HookError) as caught:
        plan(request(), manager(odd=Says("choose_initializer", Role.JOIN)))
    assert str(caught.value) == (
        "choose_initializer of plugin 'odd' answered Role.JOIN, and there is no parent run: answer JOIN only where "
        "request.parent is a run"
    )


@pytest.mark.parametrize(
    ("mode", "scope", "hook", "close"),
    [
        ("auto", "galaxy", "locate_rank", ""),
        ("solo", "global", "choose_initializer", ""),
        ("sharde", "global", "choose_initializer", "; did you mean shared?"),
        ("auto", "iland:4", "locate_rank", "; did you mean island?"),
    ],
)
def test_a_question_that_nobody_answers_lists_what_exists_and_who_brings_it(
    mode: str, scope: str, hook: str, close: str
) -> None:
    with pytest.raises(UnansweredError) as caught:
        plan(request(run_mode=mode, rank_scope=scope), manager(island=Island()))
    assert str(caught.value) == (
        f"no plugin answered {hook} for run_mode {mode!r}, rank_scope {scope!r}; "
        "known run_modes: auto (builtin), new (builtin), shared (builtin); "
        f"known rank_scopes: global (builtin), island (island), worker (builtin){close}"
    )


def test_without_any_plugin_the_error_says_that_there_is_none() -> None:
    with pytest.raises(UnansweredError, match="known run_modes: none; known rank_scopes: none"):
        plan(request(), StrategyManager())
    assert detect_topology({"RANK": "1"}, StrategyManager()) == ALONE


def test_strategies_are_listed_by_name_and_known_without_their_argument() -> None:
    strategies = manager(island=Island())
    assert [one.name for one in strategies.strategies("rank_scope")] == ["global", "island", "worker"]
    assert [one.name for one in strategies.strategies("run_mode")] == ["auto", "new", "shared"]
    assert strategies.knows("rank_scope", "island")
    assert strategies.knows("rank_scope", "island:4")
    assert not strategies.knows("run_mode", "island")
    assert not strategies.knows("rank_scope", "islands")


def test_two_plugins_of_one_name_are_an_error_that_names_both() -> None:
    strategies = StrategyManager()
    strategies.register(Acme(), name="acme", origin="acme-names 1.0")
    with pytest.raises(PluginError) as caught:
        strategies.register(Acme(), name="acme", origin="acme-other 2.0")
    assert str(caught.value) == (
        "two plugins are called 'acme': acme-names 1.0 and acme-other 2.0; rename or uninstall one of them"
    )


def test_two_plugins_that_bring_one_strategy_are_an_error_that_names_both() -> None:
    with pytest.raises(PluginError) as caught:
        manager(one=Island(), two=Island())
    assert str(caught.value) == (
        "two plugins bring the rank_scope 'island': 'one' and 'two'; rename the rank_scope in one of them, or "
        "uninstall one"
    )


def brings(*names: str, kind: Literal["run_mode", "rank_scope"] = "rank_scope") -> Says:
    plugin = Says("list_strategies", [Strategy(kind=kind, name=name, summary="") for name in names])
    plugin.locate_rank = hookimpl(lambda: None)  # type: ignore[attr-defined]
    return plugin


def named_by_entry_point(slip: Slip) -> object:
    module = types.ModuleType("acme_names")
    exec(slip.module, vars(module))
    return getattr(module, slip.attribute) if slip.attribute else module


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_a_plugin_that_does_not_fit_is_named_with_its_fault_and_the_remedy_and_leaves_nothing_behind(
    slip: Slip,
) -> None:
    strategies = manager()
    with pytest.raises(PluginError) as caught:
        strategies.register(named_by_entry_point(slip), name="acme", origin="acme-names 1.0")
    assert str(caught.value) == f"plugin 'acme' (acme-names 1.0) does not fit the contract: {slip.fault}"
    strategies.register(brings("half"), name="acme")
    assert plan_text(plan(request(), strategies)) == "primary r1-a0"


def test_a_taken_strategy_leaves_nothing_behind() -> None:
    strategies = manager()
    with pytest.raises(PluginError):
        strategies.register(brings("half", "global"), name="odd")
    strategies.register(brings("half"), name="odd")
    assert plan_text(plan(request(), strategies)) == "primary r1-a0"


def test_a_plugin_under_two_names_is_refused() -> None:
    plugin = Acme()
    with pytest.raises(PluginError) as caught:
        manager(acme=plugin, again=plugin)
    assert str(caught.value) == (
        "plugin 'again' (registered in this process) does not fit the contract: it is registered as 'acme' already: "
        "let one entry point name it"
    )


class TypedHooks(HookSpecs):
    """A plugin that a type checker compares with the contract."""

    @hookimpl
    def compute_run_id(self, request: Request, part: Part, role: Role) -> str:
        return f"typed-{request.base}"


def test_hooks_that_are_only_inherited_from_the_specification_are_none_of_the_plugin() -> None:
    strategies = manager(typed=TypedHooks())
    assert strategies.hooks_of("typed") == ["compute_run_id"]
    assert plan(request(), strategies).run_id == "typed-r1-a0"


def test_a_plugin_that_brings_a_strategy_and_does_not_answer_for_it_is_named() -> None:
    with pytest.raises(HookError) as caught:
        plan(request(rank_scope="half"), manager(half=brings("half")))
    assert str(caught.value) == (
        "plugin 'half' brings the rank_scope 'half' and answers None for it in locate_rank: answer where "
        "request.rank_scope == 'half'"
    )
    assert caught.value.plugin == "half"


def test_a_plugin_that_was_taken_out_answers_no_more_and_its_strategies_are_gone() -> None:
    strategies = manager(island=Island(), acme=Acme())
    strategies.unregister("acme")
    assert plan(request(), strategies).run_id == "r1-a0"
    strategies.unregister("island")
    assert not strategies.knows("rank_scope", "island")
    with pytest.raises(UnansweredError):
        plan(request(rank_scope="island:2"), strategies)
    strategies.register(Island(), name="island")
    assert strategies.knows("rank_scope", "island")


def test_taking_out_a_plugin_that_is_not_there_changes_nothing() -> None:
    strategies = manager()
    strategies.unregister("nobody")
    assert [one.name for one in strategies.strategies("rank_scope")] == ["global", "worker"]


def test_two_threads_that_ask_at_once_keep_their_credits_apart() -> None:
    both_inside = threading.Barrier(2, timeout=10)

    class OfRun:
        def __init__(self, run_name: str) -> None:
            self.run_name = run_name

        @hookimpl
        def compute_run_id(self, request: Request) -> str | None:
            return request.run_name if request.run_name == self.run_name else None

        @hookimpl(wrapper=True)
        def choose_initializer(self) -> Generator[None, Role, Role]:
            return (yield)

    class Meets:
        """Brings both threads to the moment between the answer and its credit."""

        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, str]:
            run_id = yield
            both_inside.wait()
            return run_id

    strategies = manager(red=OfRun("red"), blue=OfRun("blue"), meets=Meets())
    found: dict[str, Plan] = {}

    def ask(name: str) -> None:
        found[name] = plan(Request(run_name=name, action_name="a0"), strategies)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("red", "blue")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: (one.run_id, one.steps[2].plugin) for name, one in found.items()} == {
        "red": ("red", "red"),
        "blue": ("blue", "blue"),
    }
