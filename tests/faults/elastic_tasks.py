"""A task of two ranks under Flyte's Elastic, in a module of its own: the import of torch takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_distributed_info, wandb_init
from tests.faults import sigterm_tasks
from tests.faults.tasks import log_rows, wait_for_test
from tests.ranks.elastic_tasks import PROMPT

env = flyte.TaskEnvironment(name="faulty_elastic", plugin_config=Elastic(nnodes=1, max_restarts=0, **PROMPT))


@wandb_init
@env.task
def waits(rows: int) -> str | None:
    """Have rank 0 log rows, tell its process and wait for the test; rank 1 ends at once."""
    info = get_distributed_info()
    if info and info["rank"] == 0:
        log_rows(rows)
        Path("rank-0.pid").write_text(str(os.getpid()))
        wait_for_test()
    return None


@wandb_init(sigterm_grace=sigterm_tasks.GRACE)
@env.task
def in_native_code(rows: int) -> int | None:
    """Have the primary log rows, and be in native code on every rank."""
    if flyte.ctx().rank == 0:
        sigterm_tasks.log_rows(rows)
        sigterm_tasks.tell_test()
    sigterm_tasks.compute_natively()
    return None
