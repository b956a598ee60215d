"""The conformance suite: the built-ins and good plugins pass it, and each kind of bad plugin fails the test for it."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from flyte_wandb import Group, Part, PlanRefusedError, Request, Role, Strategy, Topology, hookimpl, strategy_argument
from flyte_wandb.testing import PluginConformance


class Nothing:
    """A plugin that changes nothing: the suite then tries the built-ins."""

    @hookimpl
    def compute_run_id(self, request: Request) -> None:
        return None


class TestBuiltIns(PluginConformance):
    plugin: ClassVar[Any] = Nothing()


class Strided:
    """A rank scope whose parts are no neighbours, and that refuses worlds which it cannot divide."""

    @hookimpl
    def list_strategies(self) -> list[Strategy]:
        return [Strategy(kind="rank_scope", name="strided", summary="every n-th rank", example="strided:2")]

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        if request.rank_scope != "strided":
            return None
        parts, size = int(strategy_argument(request.settings.rank_scope) or 1), request.topology.world_size
        if size % parts:
            raise PlanRefusedError(f"rank scope 'strided:{parts}': {size} ranks cannot be divided by {parts}")
        index, label = divmod(request.topology.rank, parts)
        return Part(label=f"stride-{label}", index=index, size=size // parts)


class TestStrided(PluginConformance):
    plugin: ClassVar[Any] = Strided()
    rank_scopes = ("strided:2", "strided:4", "worker")


class Mpi:
    """A launcher: a task declares hosts with two ranks each."""

    @hookimpl
    def declare_topology(self, plugin_config: Any) -> Topology | None:
        return Topology.even(plugin_config["hosts"], 2, launcher="mpi") if plugin_config else None

    @hookimpl
    def detect_topology(self, environ: Mapping[str, str]) -> Topology | None:
        if "OMPI_RANK" not in environ:
            return None
        host, index = divmod(int(environ["OMPI_RANK"]), 2)
        hosts = int(environ["OMPI_HOSTS"])
        first = Topology.even(hosts, 2, launcher="mpi")
        return replace(first, rank=int(environ["OMPI_RANK"]), local_rank=index, worker_index=host)


def ranks_of(hosts: int, *, ranks: int) -> tuple[Any, Any, Any]:
    environs = [{"OMPI_RANK": str(rank), "OMPI_HOSTS": str(hosts)} for rank in range(ranks)]
    return ({"hosts": hosts}, None, environs)


WORLDS = "test_the_world_that_a_task_declares_is_the_one_that_is_started"


class TestMpi(PluginConformance):
    plugin: ClassVar[Any] = Mpi()
    launches: ClassVar[Any] = [ranks_of(1, ranks=2), ranks_of(3, ranks=6)]


@pytest.mark.parametrize(
    ("launch", "fault"),
    [
        (ranks_of(2, ranks=3), "the task declares 4 ranks, and 3 are started"),
        (({"hosts": 3}, None, ranks_of(2, ranks=4)[2]), "the task declares 6 ranks, and 4 are started"),
        (({"hosts": 1}, None, ranks_of(2, ranks=2)[2]), "rank 0 is declared as .*num_workers=1.* started as .*=2"),
        ((None, None, []), "declare_topology has no answer for None and None"),
    ],
)
def test_a_launcher_that_starts_another_world_than_it_declares_does_not_pass(launch: Any, fault: str) -> None:
    class Suite(PluginConformance):
        plugin: ClassVar[Any] = Mpi()
        launches: ClassVar[Any] = [launch]

    with pytest.raises(AssertionError, match=fault):
        getattr(Suite(), WORLDS)()


class Names:
    """An organisation's names around those of the others."""

    @hookimpl(wrapper=True)
    def compute_run_id(self, request: Request) -> Generator[None, str, str]:
        run_id = yield
        return f"acme-{request.flyte_project}-{run_id}"

    @hookimpl(wrapper=True)
    def compute_group(self) -> Generator[None, Group, Group]:
        group = yield
        return Group(name=f"acme-{group.name}") if group.name else group


class TestNames(PluginConformance):
    plugin: ClassVar[Any] = Names()


class LiesAboutSizes:
    @hookimpl
    def locate_rank(self, request: Request) -> Part:
        return Part(label="all", index=request.topology.rank, size=request.topology.world_size + 1)


class GivesOneIndexTwice:
    @hookimpl
    def locate_rank(self, request: Request) -> Part:
        return Part(label="all", index=0, size=request.topology.world_size)


class OneIdForAll:
    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return request.base


class NoPrimary:
    @hookimpl
    def choose_initializer(self) -> Role:
        return Role.SECONDARY


class NamesMonitorsAnew:
    @hookimpl(wrapper=True)
    def compute_run_id(self, role: Role) -> Generator[None, str, str]:
        run_id = yield
        return f"{run_id}-metrics" if role is Role.MONITOR else run_id


class Hashes:
    @hookimpl(wrapper=True)
    def compute_run_id(self) -> Generator[None, str, str]:
        return hashlib.sha256((yield).encode()).hexdigest()


class Counts:
    numbers = itertools.count()

    @hookimpl
    def compute_run_id(self) -> str:
        return f"run-{next(self.numbers)}"


class TakesHashesOfThisProcess:
    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return f"{request.base}-{request.topology.rank}-{hash('acme')}"


class ReadsTheEnvironment:
    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return f"{request.base}-{request.topology.rank}-{os.environ.get('FLYTE_WANDB_TEST_HOST')}"


class TooLong:
    @hookimpl(wrapper=True)
    def compute_run_id(self) -> Generator[None, str, str]:
        return f"{(yield)}-of-an-organisation-with-a-name-that-is-a-good-deal-too-long"


class RefusesOneRank:
    @hookimpl
    def choose_initializer(self, request: Request) -> None:
        if request.topology.rank == 1:
            raise PlanRefusedError("not me")


class RefusesAll:
    @hookimpl
    def choose_initializer(self) -> None:
        raise PlanRefusedError("nobody")


class SolosShareAnId:
    @hookimpl
    def choose_initializer(self) -> Role:
        return Role.SOLO


class Unmarked:
    def name_runs(self, request: Request) -> str:
        return "r1"


class DoesNotFit:
    @hookimpl
    def compute_run_id(self, reqest: Request) -> str:
        return "r1"


AGREE, OWNER = "test_all_ranks_agree_on_their_parts", "test_every_run_has_one_owner"
SAME = "test_the_same_question_has_the_same_answer_twice_and_in_another_process"
LINKS = "test_links_can_be_made_before_flyte_knows_the_names"
FITS = "test_it_fits_the_contract_and_some_world"
LIMITS = "test_names_are_those_that_wandb_takes_also_with_the_longest_names_of_flyte"


@pytest.mark.parametrize(
    ("plugin", "test", "words"),
    [
        (
            LiesAboutSizes(),
            AGREE,
            "rank 0 says that the part 'all' has 2 ranks, and it has 1; locate_rank of plugin 'pl",
        ),
        (
            GivesOneIndexTwice(),
            AGREE,
            "rank 0 and rank 1 both have index 0 in the part 'all'; locate_rank of plugin 'p",
        ),
        (SolosShareAnId(), OWNER, "choose_initializer of plugin 'plugin under test' has to let one rank of"),
        (OneIdForAll(), OWNER, "two ranks own the run 'r1-a0'"),
        (NoPrimary(), OWNER, "which no rank opens as PRIMARY"),
        (NamesMonitorsAnew(), OWNER, "monitor, joins the run"),
        (Hashes(), LINKS, "compute_run_id of plugin 'builtin', wrapped by 'plugin under test', changes the names"),
        (Counts(), SAME, "when asked twice"),
        (TakesHashesOfThisProcess(), SAME, "when asked in another process"),
        (ReadsTheEnvironment(), SAME, "when asked in another process"),
        (TooLong(), LIMITS, "a run id has at most 128 characters; this one has 130"),
        (RefusesOneRank(), AGREE, "nodes of (2,) ranks: 1 of 2 ranks are refused: not me"),
        (RefusesAll(), FITS, "run_mode 'auto' with rank_scope 'global' is refused for every world"),
        (DoesNotFit(), FITS, "'reqest'"),
        (Unmarked(), FITS, "it has no hook: mark each of its functions with @hookimpl"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_bad_plugin_fails_the_test_for_it(
    plugin: object, test: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_TEST_HOST", "here")
    suite = type("Suite", (PluginConformance,), {"plugin": plugin})()
    with pytest.raises(Exception, match=r".") as caught:
        getattr(suite, test)()
    assert words in str(caught.value)


class Nightly:
    """A run mode and a rank scope."""

    @hookimpl
    def list_strategies(self) -> list[Strategy]:
        return [
            Strategy(kind="run_mode", name="nightly", summary="as auto"),
            *Strided().list_strategies(),
        ]

    @hookimpl
    def choose_initializer(self, request: Request, part: Part) -> Role | None:
        return (Role.SOLO if part.leads else Role.SKIP) if request.run_mode == "nightly" else None

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        return Strided().locate_rank(request)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {},
            "the plugin brings the rank_scope 'strided', and TestNightly does not try it: write rank_scopes = "
            "('strided:2', 'global', 'worker')",
        ),
        (
            {"rank_scopes": ("strided:4",)},
            "the plugin brings the run_mode 'nightly', and TestNightly does not try it: write run_modes = ('nightly', "
            "'auto', 'new', 'shared')",
        ),
        (
            {"rank_scopes": ("strided:4",), "run_modes": ("nightly:1",)},
            None,
        ),
    ],
)
def test_a_strategy_that_the_suite_of_a_plugin_does_not_try_is_an_error(
    attributes: dict[str, Any], message: str | None
) -> None:
    suite = type("TestNightly", (PluginConformance,), {"plugin": Nightly(), **attributes})()
    if message is None:
        getattr(suite, FITS)()
        return
    with pytest.raises(AssertionError) as caught:
        getattr(suite, FITS)()
    assert str(caught.value) == message


def test_ragged_worlds_are_tried() -> None:
    assert {(4, 2, 3), (2, 1), (1, 7)} <= set(PluginConformance.shapes)


def test_every_test_of_the_suite_has_a_plugin_that_fails_it() -> None:
    tests = {name for name in vars(PluginConformance) if name.startswith("test_")}
    assert tests == {AGREE, OWNER, SAME, LINKS, FITS, LIMITS, WORLDS}
