"""Ranks that no launcher known here has started, wrappers under mpirun and SLURM; and torchrun in local mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import get_distributed_info, wandb_config, wandb_init
from flyte_wandb.plans._request import build_link_request
from flyte_wandb.testing import WandbServer, start_container
from tests.checkout import SCRIPTS, process_environ
from tests.conftest import LocalRun
from tests.messages import own_messages
from tests.programs import run_python
from tests.pure.test_declared_worlds import PROJECT, environment
from tests.pure.test_declared_worlds import task as decorated
from tests.ranks import tasks
from tests.ranks.tables import RAGGED, Row, check
from tests.versions import TORCH

STARTS_RANKS = """
import os, subprocess, sys

sizes, wrapper, command = [int(size) for size in sys.argv[1].split(",")], sys.argv[2], sys.argv[3:]
places = [(node, local) for node, size in enumerate(sizes) for local in range(size)]
ranks = [
    subprocess.Popen(
        ["/bin/sh", wrapper, *command],
        env=os.environ | {
            "THEIR_RANK": str(rank), "THEIR_SIZE": str(len(places)),
            "THEIR_NODE": str(node), "THEIR_NODES": str(len(sizes)),
            "THEIR_LOCAL_RANK": str(local), "THEIR_LOCAL_SIZE": str(sizes[node]),
        },
    )
    for rank, (node, local) in enumerate(places)
]
sys.exit(max(rank.wait() for rank in ranks))
"""
FOUR = "export RANK=$THEIR_RANK WORLD_SIZE=$THEIR_SIZE LOCAL_RANK=$THEIR_LOCAL_RANK LOCAL_WORLD_SIZE=$THEIR_LOCAL_SIZE"
MPIRUN = f'{FOUR}\nexec "$@"\n'
SLURM = f'{FOUR} GROUP_RANK=$THEIR_NODE NNODES=$THEIR_NODES\nexec "$@"\n'
NEW_ON_TWO_NODES = Row(
    run_mode="new",
    rank_scope="worker",
    nodes=(1, 1),
    runs={f"run1-a0-worker-{node}-rank-0": (f"run1-a0-worker-{node}", {node: None}) for node in range(2)},
)


@pytest.mark.parametrize(("wrapper", "row"), [(MPIRUN, NEW_ON_TWO_NODES), (SLURM, RAGGED[0])], ids=["mpirun", "slurm"])
def test_a_wrapper_that_exports_the_variables_of_a_rank_has_the_runs_of_the_tables(
    wrapper: str, row: Row, server: WandbServer, tmp_path: Path
) -> None:
    for name, text in (("starts_ranks.py", STARTS_RANKS), ("wrapper.sh", wrapper)):
        (tmp_path / name).write_text(text)
    sizes = ",".join(map(str, row.nodes))
    launcher = [str(SCRIPTS / "python"), str(tmp_path / "starts_ranks.py"), sizes, str(tmp_path / "wrapper.sh")]
    options: dict[str, Any] = {"inputs": {"steps": 2}, "context": row.context, "environ": server.environ}
    result = start_container(tasks.undeclared, folder=tmp_path, launcher=launcher, **options).wait()
    assert (result.exit_code, result.error) == (0, None), result.log
    check(row, server.runs, steps=2)
    last = sum(row.nodes) - 1
    assert json.loads((tmp_path / f"rank-{last}.json").read_text())["info"] == {
        "rank": last,
        "local_rank": 0,
        "world_size": last + 1,
        "local_world_size": 1,
        "worker_index": 1,
        "num_workers": 2,
    }


IN_LOCAL_MODE = """
import sys

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_distributed_info, get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="local", plugin_config=Elastic(nnodes=1, nproc_per_node=2))


@wandb_init(project="p", run_mode="new")
@env.task
def train() -> str:
    run = get_wandb_run()
    run.log({"rank": get_distributed_info()["rank"]})
    return run.id


flyte.init()
run = flyte.with_runcontext(mode="local", name="r1", raw_data_path=sys.argv[1]).run(train)
print("opened", run.outputs()[0])
"""


def test_under_torchrun_each_process_of_local_mode_is_the_rank_that_it_was_started_as(
    server: WandbServer, tmp_path: Path
) -> None:
    """The task declares the world, of which it would be rank 0 if nobody had started it as another."""
    pytest.importorskip("torch", reason="torch is not installed")
    (tmp_path / "train.py").write_text(IN_LOCAL_MODE)
    meeting = ("--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")
    words = ("-m", "torch.distributed.run", "--nproc-per-node=2", *meeting, f"{tmp_path}/train.py", f"{tmp_path}/raw")
    environ = process_environ(tmp_path, {**server.environ, "WANDB_DIR": str(tmp_path)})
    done = run_python(*words, folder=tmp_path, environ=environ, modules=TORCH)
    assert done.returncode == 0, done.stderr
    runs = {run.id: (run.group, run.logged("rank")) for run in server.runs}
    base = server.runs[0].id.partition("-rank-")[0]
    assert runs == {f"{base}-rank-{rank}": (base, [rank]) for rank in range(2)}


RANK_3 = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1"}


@pytest.mark.usefixtures("clean_client")
@pytest.mark.parametrize(
    ("variables", "page"),
    [
        (RANK_3, "/groups/r1-a0-worker-1/workspace"),
        ({"RANK": "3", "WORLD_SIZE": "4"}, "/runs/r1-a0"),
        (RANK_3 | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "NNODES": "2"}, "/runs/r1-a0"),
    ],
    ids=["a rank", "a pod", "nodes of different sizes"],
)
def test_in_local_mode_the_link_of_a_task_without_a_world_is_that_of_its_rank(
    variables: Mapping[str, str], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    context = wandb_config(run_mode="new", rank_scope="worker")
    (link,) = decorated(environment()).links
    assert link.get_link("r1", "p", "d", context, "", "a0", "localhost") == f"{PROJECT}{page}"
    assert build_link_request(link.spec, _remote("a0")).topology.distributed is False


@wandb_init
@ClusteredTaskEnvironment(name="declares_more", replicas=2, nproc_per_node=2).task
def declares_two_nodes() -> None: ...


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (RANK_3 | {"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, []),
        (
            {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"},
            [
                "the task declares 4 ranks (2 nodes) but runs on 2 ranks (1 node): its links in Flyte's UI follow "
                "the declaration, so some may lead to no run"
            ],
        ),
        ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}, []),
        ({}, []),
    ],
    ids=["as declared", "fewer", "fewer, another rank", "nobody started it"],
)
def test_a_task_that_starts_with_other_ranks_than_it_declares_says_so_on_rank_0(
    variables: Mapping[str, str],
    told: list[str],
    run_local: LocalRun,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    run_local(declares_two_nodes)
    assert [message for message in own_messages(caplog) if "declares" in message] == told


@pytest.mark.usefixtures("clean_client")
def test_the_dict_of_the_spec_outside_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_distributed_info() is None
    for name, text in RANK_3.items():
        monkeypatch.setenv(name, text)
    info = {"rank": 3, "local_rank": 1, "world_size": 4, "local_world_size": 2, "worker_index": 1, "num_workers": 2}
    assert get_distributed_info() == info


def _remote(name: str) -> Any:
    from flyte_wandb._action import Action

    return Action(run_name="r1", name=name, project="p", domain="d", local=False)
