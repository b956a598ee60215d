"""What each setting and each environment variable means, for docs/settings.md."""

from __future__ import annotations

from typing import Final

from flyte_wandb.results.downloads._limits import (
    ARTIFACTS_VARIABLE,
    AT_ONCE_VARIABLE,
    PATIENCE_VARIABLE,
    DownloadLimits,
)
from flyte_wandb.runs._flyte_identity import CONSOLE_VARIABLE
from flyte_wandb.settings._limits import ENTITY, GROUP, JOB_TYPE, NAME, PROJECT, RUN_ID, TAG, Limit
from flyte_wandb.settings._merge import ON_ERROR_VARIABLE
from flyte_wandb.testing._warm import COLD_VARIABLE


def _limit(limit: Limit) -> str:
    refused = "".join(f" `{character}`" for character in limit.refused)
    return f"at most {limit.longest} characters{f', none of{refused}' if refused else ''}"


MEANINGS: Final = {
    "run_mode": "Which ranks, or parent and child, write to the same run: `auto`, `shared`, `new`, or a plugin's mode.",
    "rank_scope": "Which ranks form one part: `global`, `worker`, or a plugin's scope, such as `island:4`.",
    "project": f"W&B project; {_limit(PROJECT)}. Not set: the project that W&B's client is configured for.",
    "entity": f"W&B user or team; {_limit(ENTITY)}. Not set: the entity that W&B's client is configured for.",
    "host": "Base URL of the W&B server, such as `https://wandb.example.com`. Not set: the server that W&B's client is "
    "configured for.",
    "id": f"Replaces `{{flyte run}}-{{action}}`; {_limit(RUN_ID)}. Rank and node suffixes are still appended. In the "
    "context it is the exact id of the first tracked action; actions below it append their name.",
    "name": f"Display name; {_limit(NAME)}. Not set: [task and action](concepts.md#telling-runs-apart).",
    "tags": f"Tags, each {_limit(TAG)}: a list, a tuple, a set, or one string. Plugins may add some.",
    "config": "Config of the run: a mapping, the path of a YAML or JSON file (read when the run is opened), an "
    "`argparse.Namespace`, a dataclass, a pydantic model, OmegaConf, or absl flags. In the context, use values that "
    "[Flyte's context can carry](#where-to-set-it).",
    "group": f"Group; {_limit(GROUP)}. `parent` is the group of the run above, or that run's id if it has no group. "
    "Not set: the run mode decides.",
    "mode": "`online`, `offline` or `disabled`. Not set: `WANDB_MODE`, else online.",
    "joinable": "Whether child tasks in other processes may write to the run. Not set: yes, except for ranks. "
    "`False` opens a plain run, without W&B's shared mode.",
    "system_metrics": "The nodes in the run's GPU, CPU, memory and network metrics: its `owner`'s node, or all "
    "`nodes` of its part. With several nodes, `nodes` opens the run in shared mode, which ignores `log(step=...)`. See "
    "[Metrics of every node](distributed.md#metrics-of-every-node).",
    "download_logs": "[Download the run](bring-results-home.md#after-a-task) when it has finished. An error on a "
    "task with many ranks.",
    "report": "Add a tab to [the task's report](report.md) in Flyte's UI. Set it on the decorator: in the context it "
    "adds the tab only to tasks that write a report anyway.",
    "flyte_identity": "Add the [Flyte action](links-and-plans.md#the-way-back) that opened the run to its config.",
    "config_inputs": "Add the [inputs of the task](concepts.md#telling-runs-apart) to the run's config.",
    "on_error": "What happens if W&B cannot open the run: `raise`, continue `offline`, or `ignore` it. See "
    "[Reliability](reliability.md#when-wb-gives-trouble).",
    "on_retry": "What a retry does with the run: continue it (`resume`), start it over (`restart`), or open a `new` "
    "one. See [Reliability](reliability.md#retries-and-restarts).",
    "checkpoint_step": "The last W&B step in a [checkpoint](reliability.md#from-a-checkpoint), 0 or more, or a "
    "function that returns it. In the context only a number.",
    "sigterm_grace": "Seconds in which the function must end after SIGTERM, 0 to 3600. W&B then gets up to 13 more. "
    "See [Reliability](reliability.md#signals).",
    "run_creations_per_second": "How many runs per second the ranks of a task open, 0 to 1,000,000; the others "
    "[wait for their turn](distributed.md#many-ranks-at-once). Not set: 80, W&B's limit per project. 0: no limit.",
    "job_type": f"{_limit(JOB_TYPE).capitalize()}.",
    "allow_val_change": "Whether a config key may get another value. Not set: yes in a retry and in a run that tasks "
    "share; otherwise W&B rejects it, to catch mistakes.",
    "dir": "In the context only a string.",
    "resume": "Not set: `allow`. A retry of a task continues its run in any case.",
    "resume_from": "`<run id>?_step=<step>`: see [Reliability](reliability.md#from-another-run).",
    "fork_from": "The same form as `resume_from`.",
    "settings": "See [above](#where-to-set-it). In the context, use values that Flyte's context can carry.",
}
"""Settings of runs. For those that are passed to `wandb.init`, only what this package adds."""

SWEEP_MEANINGS: Final = {
    "project": "Not set: the project of `wandb_config`, else the one that W&B's client is configured for.",
    "entity": "Not set: as for the project.",
    "host": "Not set: as for the project.",
    "id": "An [existing sweep](sweeps.md#a-sweep-that-exists): `ENTITY/PROJECT/ID`, its id, or its page's address.",
    "prior_runs": "Ids of older runs of the project that count as trials.",
    "download_logs": "[Download every run of the sweep](bring-results-home.md#after-a-task) when the task has ended.",
    "name": "Not set: `{flyte run}-{action}`; with it a retry of the task finds its sweep again.",
    "description": "Text on the sweep's page.",
    "method": "How W&B picks parameters; `custom` is your own controller.",
    "metric": "`name` and `goal` of the metric.",
    "parameters": "The search space; at least one parameter.",
    "early_terminate": "When the controller ends a trial early.",
    "run_cap": "Maximum number of trials, 1 or more.",
    "program": "A string. This package does not run it.",
    "command": "A list of strings. This package does not run it.",
    "controller": "Settings of W&B's controller.",
}

_TUNING: Final = DownloadLimits()
VARIABLES: Final = {
    "FLYTE_WANDB_DISABLE_PLUGINS": (
        "",
        "Names of plugins to leave out, such as `acme,zeta`. Set it where you submit tasks, too; see "
        "[Rolling out](your-organisations-run-ids.md#rolling-out).",
    ),
    ON_ERROR_VARIABLE: ("`raise`", "`on_error`, if neither decorator nor context sets it."),
    AT_ONCE_VARIABLE: (f"{_TUNING.at_once}", "Concurrent requests of a download, over all runs of a sweep."),
    PATIENCE_VARIABLE: (f"{_TUNING.patience:.0f}", "Seconds for which a download retries one request."),
    ARTIFACTS_VARIABLE: (
        f"{_TUNING.artifacts_gib:g}",
        "GiB of artifacts that a download fetches per run if you name none; 0 or more. See "
        "[Artifacts](bring-results-home.md#artifacts).",
    ),
    COLD_VARIABLE: (
        "",
        "In tests: if set, [`run_container`](test-your-plugin.md) starts fresh interpreters.",
    ),
    CONSOLE_VARIABLE: (
        "",
        "A variable of Flyte: the address of Flyte's UI. Runs of ranks under `Elastic` need it to link to "
        "[their action's page](links-and-plans.md#the-way-back).",
    ),
}
"""Default and meaning of each environment variable, by name."""
