"""`flyte-wandb plan`, started as a user starts it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import PLACE, run, run_in_terminal
from tests.distributions import install

JOBS = """
from dataclasses import dataclass

import flyte
from flyte.clustered import ClusteredTaskEnvironment
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry
from flyte_wandb import wandb_init

print("printed while it is imported")
env = flyte.TaskEnvironment(name="jobs")
cluster = ClusteredTaskEnvironment(name="cluster", replicas=2, nproc_per_node=2)

@wandb_init
@env.task
def alone() -> None:
    raise AssertionError("the task ran")

@wandb_init(rank_scope="worker", project="own")
@cluster.task
def ranked() -> None:
    raise AssertionError("the task ran")

@cluster.task
@wandb_init(rank_scope="worker", project="own")
def below() -> None: ...

@env.task
def untracked() -> None: ...

@dataclass
class Elastic:  # by its fields
    nnodes: str
    nproc_per_node: str

@dataclass(kw_only=True)
class ElasticTask(AsyncFunctionTaskTemplate):
    plugin_config: Elastic

TaskPluginRegistry.register(Elastic, ElasticTask)

@wandb_init(rank_scope="worker")
@flyte.TaskEnvironment(name="open", plugin_config=Elastic("1:3", "cpu")).task
def open_world() -> None: ...

number = 1
"""

HOOKS = ("locate_rank", "choose_initializer", "compute_run_id", "compute_group")
WORLD = ("plan", "--nodes", "2", "--per-node", "8", "--run-mode", "new", "--rank-scope", "worker")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(JOBS)
    return tmp_path


def table_cells(text: str) -> list[list[str]]:
    """The lines of the first table, behind its headings."""
    table = text.partition("\n\n")[0].splitlines()
    return [line.split() for line in table[2:]]


def test_a_world_is_listed_rank_by_rank_and_summed_up(folder: Path) -> None:
    result = run(*WORLD, folder=folder, environ=PLACE)
    assert (result.returncode, result.stderr) == (0, "")
    assert table_cells(result.stdout) == [
        [
            f"worker-{rank // 8}",
            str(rank),
            "solo",
            f"RUN-ACTION-worker-{rank // 8}-rank-{rank % 8}",
            f"RUN-ACTION-worker-{rank // 8}",
            str(rank // 8 + 1),
        ]
        for rank in range(16)
    ]
    lines = result.stdout.splitlines()
    for number in (1, 2):
        heading = lines.index(f"link {number}: Weights & Biases worker {number - 1}")
        page = f"https://wandb.example.com/team/vision/groups/RUN-ACTION-worker-{number - 1}/workspace"
        assert lines[heading + 1] == f"  {page}"
    assert "16 runs in 2 groups, 2 links" in lines
    assert [line for line in lines if "builtin" in line] == ["all decisions: builtin"]
    assert lines[-1] == "At launch Flyte replaces RUN by the run's name and ACTION by the action's name."


def test_it_fits_80_columns_is_plain_without_a_terminal_and_coloured_with_one(folder: Path) -> None:
    plain = run(*WORLD, folder=folder, environ=PLACE).stdout
    assert max(len(line) for line in plain.splitlines()) <= 80
    assert "\x1b" not in plain
    coloured = run_in_terminal(*WORLD, folder=folder, environ=PLACE)
    assert "\x1b[32msolo" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).replace("\r\n", "\n") == plain


def test_long_names_are_folded_into_80_columns(folder: Path) -> None:
    text = run(*WORLD, "--id", "a-name-that-is-much-too-long-for-its-column", folder=folder).stdout
    heading, _, *lines = text.partition("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80
    column = slice(heading.index("run"), heading.index("group"))
    folded = "".join(line[column].strip() for line in lines)
    assert folded.startswith("a-name-that-is-much-too-long-for-its-column-worker-0-rank-0a-name-that-is-much-too")


def test_json_tells_every_rank_with_who_decided_it(folder: Path) -> None:
    result = run(*WORLD, "--json", folder=folder, environ=PLACE)
    told = json.loads(result.stdout)
    assert told["summary"] == {"runs": 16, "groups": 2, "links": 2}
    assert told["notes"] == []
    assert told["world"] == {"ranks": 16, "nodes": 2, "launcher": "torch-elastic", "caveat": None}
    assert [one["rank"] for one in told["ranks"]] == list(range(16))
    assert told["ranks"][9] == {
        "rank": 9,
        "part": "worker-1",
        "role": "solo",
        "run": "RUN-ACTION-worker-1-rank-1",
        "group": "RUN-ACTION-worker-1",
        "link": "https://wandb.example.com/team/vision/groups/RUN-ACTION-worker-1/workspace",
        "decided_by": {hook: ["builtin"] for hook in HOOKS},
    }
    assert [(link["name"], link["rank"], link["note"]) for link in told["links"]] == [
        ("Weights & Biases worker 0", 0, None),
        ("Weights & Biases worker 1", 8, None),
    ]


def test_a_large_world_is_summed_up_and_listed_only_if_asked_for(folder: Path) -> None:
    world = ("plan", "--nodes", "20", "--per-node", "4", "--rank-scope", "worker", "--run-mode", "shared")
    summed = run(*world, folder=folder, environ=PLACE).stdout
    first, *others = table_cells(summed)
    assert first == ["worker-0", "0-3", "1", "primary,", "3", "secondary", "RUN-ACTION-worker-0", "1"]
    assert len([row for row in others if row[0].startswith("worker-")]) == 15
    assert "4 more parts" in summed
    assert "20 runs, 9 links (60 ranks joining)" in summed
    listed = run(*world, "--all", folder=folder, environ=PLACE).stdout
    assert [row[1] for row in table_cells(listed)] == [str(rank) for rank in range(80)]
    assert "20 runs, 9 links (60 ranks joining)" in listed


def test_a_task_is_planned_as_its_environment_and_decorator_say(folder: Path) -> None:
    result = run("plan", "jobs:ranked", folder=folder, environ=PLACE)
    assert "printed while" not in result.stdout
    assert [row[:3] for row in table_cells(result.stdout)] == [
        ["worker-0", "0", "solo"],
        ["worker-0", "1", "skip"],
        ["worker-1", "2", "solo"],
        ["worker-1", "3", "skip"],
    ]
    assert "https://wandb.example.com/team/own/runs/RUN-ACTION-worker-1" in result.stdout
    assert "2 runs, 2 links (2 ranks without a run)" in result.stdout


def test_options_count_as_the_context_and_a_world_can_be_tried(folder: Path) -> None:
    options = ("--run-mode", "new", "--rank-scope", "global", "--project", "theirs", "--id", "exp", "--nodes", "3")
    told = json.loads(run("plan", "jobs:ranked", *options, "--json", folder=folder, environ=PLACE).stdout)
    assert (told["task"], told["run_mode"], told["rank_scope"]) == ("cluster.ranked", "new", "worker")
    assert told["world"] == {"ranks": 6, "nodes": 3, "launcher": "clustered", "caveat": None}
    assert told["ranks"][5]["run"] == "exp-worker-2-rank-1"
    assert told["ranks"][5]["link"] == "https://wandb.example.com/team/own/groups/exp-worker-2/workspace"


def test_what_only_the_start_can_tell_is_a_note_once_and_stands_in_the_json(folder: Path) -> None:
    caveat = (
        "nnodes='1:3' is a range, planned as 3 nodes: with fewer, links to the nodes that are missing lead to no run, "
        "and on a single node no id names the node; nproc_per_node='cpu' is counted on the node when the task starts: "
        "the plan has 1 rank for each node"
    )
    shown = run("plan", "jobs:open_world", folder=folder, environ=PLACE).stdout
    assert " ".join(shown.split()).count(f"Note: {caveat}") == 1
    told = json.loads(run("plan", "jobs:open_world", "--json", folder=folder, environ=PLACE).stdout)
    assert told["world"] == {"ranks": 3, "nodes": 3, "launcher": "torch-elastic", "caveat": caveat}
    assert [link["note"] for link in told["links"]] == [caveat] * 3


def test_what_the_metrics_of_every_node_and_turns_cost_are_notes_and_stand_in_the_json(folder: Path) -> None:
    world = ("plan", "--nodes", "2", "--per-node", "2")
    options = (*world, "--system-metrics", "nodes", "--run-creations-per-second", "1")
    shown = " ".join(run(*options, folder=folder, environ=PLACE).stdout.split())
    assert "Note: system_metrics='nodes' opens these runs in W&B's shared mode: log(step=...) is ignored there" in shown
    assert "1 run, 1 link (2 ranks without a run, 1 rank measuring a node)" in shown
    told = json.loads(run(*options, "--json", folder=folder, environ=PLACE).stdout)
    assert [rank["role"] for rank in told["ranks"]] == ["primary", "skip", "monitor", "skip"]
    assert told["system_metrics"] == "nodes"
    mode, turns = told["notes"]
    assert "log(step=...)" in mode
    assert turns == (
        "the last of 2 ranks that open or join a run does so after 1 s, in turns of 1 a second "
        "(run_creations_per_second)"
    )


@pytest.mark.parametrize(
    ("options", "summary"),
    [
        ((), "1 run, 1 link"),
        (("--run-mode", "new"), "1 run, 1 link"),
        (("--parent", "r1-a0"), "0 runs, 1 link (1 rank joining the parent's run 'r1-a0')"),
        (("--parent", "r1-a0", "--run-mode", "new"), "1 run, 1 link"),
    ],
)
def test_a_task_of_one_process_and_a_child(options: tuple[str, ...], summary: str, folder: Path) -> None:
    result = run("plan", "jobs.py:alone", *options, folder=folder, environ=PLACE)
    assert summary in result.stdout.splitlines()
    assert ("At launch" in result.stdout) == ("RUN" in result.stdout)


def test_a_task_that_is_decorated_below_flytes_decorator_is_told_so(folder: Path) -> None:
    result = run("plan", "jobs:below", folder=folder, environ=PLACE)
    assert "2 runs, 0 links (2 ranks without a run)" in result.stdout
    note = (
        "Note: @wandb_init is below the task decorator, so Flyte shows no link; put @wandb_init on top, above @env.task"
    )
    assert note in " ".join(result.stdout.split())


def test_a_scope_that_only_the_context_names_says_which_parts_have_no_link(folder: Path) -> None:
    (folder / "free.py").write_text(JOBS.replace('rank_scope="worker", ', ""))
    result = run("plan", "free:ranked", "--rank-scope", "worker", folder=folder, environ=PLACE)
    assert "2 runs, 1 link (2 ranks without a run)" in result.stdout
    note = "Note: no link leads to the run of worker-1: Flyte fixes the number of links"
    assert note in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("options", "page", "note"),
    [
        (
            (),
            "",
            "entity and project are not set here; set entity= and project= in wandb_init or wandb_config, or "
            "WANDB_ENTITY and WANDB_PROJECT",
        ),
        (
            ("--entity", "team"),
            "/team",
            "project is not set here; set project= in wandb_init or wandb_config, or WANDB_PROJECT",
        ),
    ],
)
def test_a_link_that_cannot_be_right_says_which_setting_is_missing(
    options: tuple[str, ...], page: str, note: str, folder: Path
) -> None:
    result = run("plan", "jobs:alone", "--host", "https://wandb.example.com", *options, folder=folder)
    assert f"  https://wandb.example.com{page}\n" in result.stdout
    assert f"Note: links stop above the run: {note}" in " ".join(result.stdout.split())


def test_it_is_the_same_as_flytes_own_command(folder: Path) -> None:
    ours, flytes = (
        run(*arguments, folder=folder, program=program, environ=PLACE)
        for program, arguments in (("flyte-wandb", WORLD), ("flyte", ("wandb", *WORLD)))
    )
    assert flytes.stdout == ours.stdout
    assert "wandb" in run("--help", folder=folder, program="flyte").stdout


WATCH = """
import sys

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        sys.exit(f"somebody was contacted: {arguments}")
    if event == "subprocess.Popen" and "wandb-core" in str(arguments):
        sys.exit("a service was started")
    if event == "import" and arguments[0] == "torch":
        sys.exit("torch was imported")

sys.addaudithook(watch)
"""


NOBODY = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}


@pytest.mark.parametrize("arguments", [WORLD, ("plan", "jobs:ranked")])
def test_it_contacts_nobody_starts_nothing_and_needs_no_torch(arguments: tuple[str, ...], folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(WATCH)
    result = run(*arguments, folder=folder, environ=NOBODY)
    assert (result.returncode, result.stderr.replace("printed while it is imported\n", "")) == (0, "")
    watched = run("doctor", folder=folder, environ=NOBODY)
    assert "somebody was contacted" in watched.stderr


ERRORS = [
    (("plan",), "say what to plan: MODULE:TASK, or a world such as --nodes 2 --per-node 8"),
    (("plan", "jobs"), "'jobs' names no task; write MODULE:TASK, such as train:main or examples/train.py:main"),
    (("plan", "nothing:main"), "nothing cannot be imported: ModuleNotFoundError: No module named 'nothing'"),
    (("plan", "exits:main"), "exits cannot be imported: SystemExit: 3"),
    (("plan", "jobs:number"), "jobs has no task 'number'; it has alone, below, open_world, ranked, untracked"),
    (("plan", "jobs.py:main"), "jobs.py has no task 'main'; it has alone, below, open_world, ranked, untracked"),
    (("plan", "jobs:untracked"), "the task 'jobs.untracked' has no @wandb_init, so it opens no run"),
    (("plan", "jobs:alone", "--id", "a/b"), "plan(id='a/b'): a run id must not contain '/'; W&B rejects :;,#?/%'"),
    (("plan", "--nodes", "2", "--run-mode", "sharde"), "no plugin answered choose_initializer for run_mode 'sharde'"),
    (("plan", "jobs:alone", "--run-mode", "shared"), "run_mode 'shared' writes to the run of a parent action"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS)
def test_an_error_is_one_line_and_shows_its_traceback_only_if_asked_for(
    arguments: tuple[str, ...], message: str, folder: Path
) -> None:
    (folder / "exits.py").write_text("raise SystemExit(3)")
    result = run(*arguments, folder=folder, environ=PLACE)
    *_, line = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (1, "")
    assert line.startswith(f"Error: {message}")
    assert "Traceback" not in result.stderr


def test_debug_shows_where_an_error_comes_from(folder: Path) -> None:
    result = run("plan", "jobs:number", "--debug", folder=folder)
    assert result.returncode == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "flyte_wandb._errors.SettingError: jobs has no task 'number'" in result.stderr


ISLAND = """
from flyte_wandb import Part, Strategy, hookimpl, strategy_argument

@hookimpl
def list_strategies():
    return [Strategy(kind="rank_scope", name="island", summary="one part per NVLink island")]

@hookimpl
def locate_rank(request):
    if request.rank_scope == "island":
        size = int(strategy_argument(request.settings.rank_scope))
        island, index = divmod(request.topology.rank, size)
        return Part(label=f"island-{island}", index=index, size=size)
"""

SOLOS = """
from flyte_wandb import Role, Strategy, hookimpl

@hookimpl
def list_strategies():
    return [Strategy(kind="run_mode", name="ends", summary="the first and the last rank of a part have runs")]

@hookimpl
def choose_initializer(request, part):
    if request.run_mode == "ends":
        return Role.SOLO if part.index in (0, part.size - 1) else Role.SKIP

@hookimpl(wrapper=True)
def compute_run_id(request):
    return f"{(yield)}-{request.topology.rank}"
"""

CARELESS = """
from flyte_wandb import hookimpl

@hookimpl
def compute_run_id(request):
    return f"acme-{request.base}"
"""

HASHES = """
import hashlib
from flyte_wandb import hookimpl

@hookimpl(wrapper=True)
def compute_run_id():
    run_id = yield
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]
"""


def test_a_scope_that_somebody_else_brings_is_planned_like_ours(folder: Path) -> None:
    install(folder, "gpu-island", ISLAND)
    world = ("plan", "--nodes", "1", "--per-node", "8", "--rank-scope", "island:4")
    result = run(*world, folder=folder, environ=PLACE)
    assert [row[:3] for row in table_cells(result.stdout)][::4] == [
        ["island-0", "0", "solo"],
        ["island-1", "4", "solo"],
    ]
    assert "2 runs, 2 links (6 ranks without a run)" in result.stdout
    assert "locate_rank        gpu-island" in result.stdout
    assert "all decisions" not in result.stdout


@pytest.mark.parametrize("arguments", [WORLD, ("plan", "jobs:ranked")])
def test_a_naming_rule_that_makes_ranks_collide_is_an_error_that_names_it(
    arguments: tuple[str, ...], folder: Path
) -> None:
    install(folder, "acme-names", CARELESS)
    result = run(*arguments, folder=folder, environ=PLACE)
    *_, line = result.stderr.splitlines()
    assert result.returncode == 1
    assert line.startswith(
        "Error: two ranks own the run 'acme-RUN-ACTION': rank 0 (rank 0 of worker-0), solo, and rank "
    )
    assert line.endswith("; compute_run_id of plugin 'acme-names' has to tell parts and ranks apart")


def test_a_naming_rule_that_hashes_costs_the_link_and_is_named(folder: Path) -> None:
    install(folder, "acme-names", HASHES)
    result = run("plan", "jobs:alone", folder=folder, environ=PLACE)
    assert "  https://wandb.example.com/team/vision\n" in result.stdout
    note = "Note: compute_run_id of plugin 'builtin', wrapped by 'acme-names', changes the names that Flyte fills into"
    assert note in " ".join(result.stdout.split())


def test_a_rank_whose_own_run_no_link_leads_to_has_no_number_in_the_column(folder: Path) -> None:
    install(folder, "ends-mode", SOLOS)
    result = run("plan", "--nodes", "1", "--per-node", "4", "--run-mode", "ends", folder=folder, environ=PLACE)
    assert [row[1:] for row in table_cells(result.stdout)] == [
        ["0", "solo", "RUN-ACTION-0", "1"],
        ["1", "skip", "1"],
        ["2", "skip", "1"],
        ["3", "solo", "RUN-ACTION-3"],
    ]
    assert "  https://wandb.example.com/team/vision/runs/RUN-ACTION-0\n" in result.stdout
    assert "Note: no link leads to the runs of these ranks: 3. A part has one link" in result.stdout
