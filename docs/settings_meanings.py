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
    "run_mode": "Which ranks, or parent and child, write to one run: `auto`, `shared`, `new`, or a plugin's own.",
    "rank_scope": "Which ranks belong together: `global`, `worker`, or a plugin's own, such as `island:4`.",
    "project": f"W&B project; {_limit(PROJECT)}. Not set: what W&B's client is configured for.",
    "entity": f"W&B user or team; {_limit(ENTITY)}. Not set: what W&B's client is configured for.",
    "host": "The server as people know it, such as `https://wandb.example.com`. Not set: the client's own.",
    "id": f"Takes the place of `{{flyte run}}-{{action}}`; {_limit(RUN_ID)}. Ranks and nodes still add theirs. In the "
    "context it names the first tracked action exactly, and actions below it add their name.",
    "name": f"Display name; {_limit(NAME)}. Not set: [task and action](concepts.md#telling-runs-apart).",
    "tags": f"Tags, each {_limit(TAG)}: a list, a tuple, a set, or one text. Plugins may add some.",
    "config": "Configuration of the run: a mapping, the path of a YAML or JSON file (read when the run is opened), an "
    "`argparse.Namespace`, a dataclass, a pydantic model, OmegaConf, or flags of absl. In the context its values have "
    "to be able to travel, see above.",
    "group": f"Group; {_limit(GROUP)}. `parent` is the group of the run above, or that run's id where it has none. Not "
    "set: the run mode decides.",
    "mode": "`online`, `offline` or `disabled`. Not set: `WANDB_MODE`, else online.",
    "joinable": "Whether child tasks in other processes may write to the run. Not set: yes, but no for ranks. "
    "`False` makes a plain run.",
    "system_metrics": "Of which nodes a run has GPU, CPU, memory and network: its `owner`'s, or all `nodes` of its "
    "part. Where that has several, `nodes` opens the run in shared mode: `log(step=...)` is ignored there. See "
    "[Metrics of every node](distributed.md#metrics-of-every-node).",
    "download_logs": "[Download the run](bring-results-home.md#after-a-task) when it has finished. Refused on a "
    "task of many ranks.",
    "flyte_identity": "Have the run's configuration name the "
    "[Flyte action](links-and-plans.md#the-way-back) that opened it.",
    "config_inputs": "Have the run's configuration name the [inputs of the task](concepts.md#telling-runs-apart).",
    "report": "A tab of [the task's report](report.md) in Flyte's UI. Set it on the decorator: in the context it adds "
    "the tab to tasks only that make a report anyway.",
    "on_error": "Where W&B does not open the run: `raise`, go on `offline`, or `ignore` it. See "
    "[Reliability](reliability.md#when-wb-gives-trouble).",
    "on_retry": "Another attempt of an action goes on with the run (`resume`), starts it over (`restart`), or has a "
    "`new` one. See "
    "[Reliability](reliability.md#retries-and-restarts).",
    "checkpoint_step": "The last W&B step, 0 or more, that a [checkpoint](reliability.md#from-a-checkpoint) holds, or "
    "a function that finds it. In the context it is a number only.",
    "sigterm_grace": "Seconds that the function has to end after SIGTERM, 0 to 3600; W&B gets up to 13 more then. See "
    "[Reliability](reliability.md#signals).",
    "run_creations_per_second": "Runs that the ranks of a task open a second, 0 to 1,000,000: the others "
    "[wait for their turn](distributed.md#many-ranks-at-once). Not set: 80, W&B's limit of a project. 0: no limit.",
    "job_type": f"{_limit(JOB_TYPE).capitalize()}.",
    "allow_val_change": "Whether a key of the configuration may be set to another value. Not set: in another attempt, "
    "and in a run that tasks share; else W&B refuses it, to find slips.",
    "dir": "In the context it is a text only.",
    "resume": "Not set: `allow`. Another attempt of a task goes on with its run in any case.",
    "resume_from": "`<run id>?_step=<step>`: see [Reliability](reliability.md#from-another-run).",
    "fork_from": "As `resume_from`.",
    "settings": "See [above](#where-a-setting-stands). In the context its values have to be able to travel.",
}
"""Settings of runs. Of those that are handed to `wandb.init` only what this package adds."""

SWEEP_MEANINGS: Final = {
    "project": "Not set: that of `wandb_config`, else what W&B's client is configured for.",
    "entity": "Not set: as for the project.",
    "host": "Not set: as for the project.",
    "id": "A [sweep that exists](sweeps.md#a-sweep-that-exists): `ENTITY/PROJECT/ID`, its id, or its page's address.",
    "prior_runs": "Ids of older runs of the project, to count as trials.",
    "download_logs": "[Download every run of the sweep](bring-results-home.md#after-a-task) when the task has ended.",
    "name": "Not set: `{flyte run}-{action}`, by which another attempt of the task finds its sweep again.",
    "description": "Text on the sweep's page.",
    "method": "How W&B picks parameters; `custom` is a controller of your own.",
    "metric": "`name` and `goal` of the metric.",
    "parameters": "What W&B's controller picks from; at least one.",
    "early_terminate": "When the controller ends a trial early.",
    "run_cap": "Trials at most, 1 or more.",
    "program": "Text; nothing here runs it.",
    "command": "List of texts; nothing here runs it.",
    "controller": "Settings of W&B's controller.",
}

_TUNING: Final = DownloadLimits()
VARIABLES: Final = {
    "FLYTE_WANDB_DISABLE_PLUGINS": (
        "",
        "Names of plugins to leave out, such as `acme,zeta`. Set it where tasks are submitted, too; see "
        "[Rolling out](your-organisations-run-ids.md#rolling-out).",
    ),
    ON_ERROR_VARIABLE: ("`raise`", "`on_error` where neither decorator nor context says it."),
    AT_ONCE_VARIABLE: (f"{_TUNING.at_once}", "Requests at a time of a download, over all runs of a sweep."),
    PATIENCE_VARIABLE: (f"{_TUNING.patience:.0f}", "Seconds for which a download tries one request again."),
    ARTIFACTS_VARIABLE: (
        f"{_TUNING.artifacts_gib:g}",
        "GiB of artifacts that a download fetches of one run where nobody names them; 0 or more. See "
        "[Artifacts](bring-results-home.md#artifacts).",
    ),
    COLD_VARIABLE: (
        "",
        "In tests: where it is set, [`run_container`](test-your-plugin.md) starts fresh interpreters.",
    ),
    CONSOLE_VARIABLE: (
        "",
        "Variable of Flyte's: where people open Flyte's UI. Runs of ranks under `Elastic` need it to name "
        "[their action's page](links-and-plans.md#the-way-back).",
    ),
}
"""Default and meaning of each environment variable, by name."""
