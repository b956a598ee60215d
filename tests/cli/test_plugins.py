"""`flyte-wandb plugins`: what is installed, and whether it can be used."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import run
from tests.cli.test_plan import ISLAND
from tests.distributions import install

OF_THE_BUILT_INS = {
    "build_link",
    "build_sweep_link",
    "choose_initializer",
    "compute_group",
    "compute_run_id",
    "declare_topology",
    "detect_topology",
    "list_strategies",
    "locate_rank",
}


def test_every_plugin_is_listed_with_its_distribution_hooks_and_strategies(tmp_path: Path) -> None:
    install(tmp_path, "gpu-island", ISLAND, version="2.1", plugin="island")
    result = run("plugins", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["island", "2.1", "gpu-island", "ok", "list_strategies,", "locate_rank"] in lines
    assert ["island", "rank", "scope", "island", "one", "part", "per", "NVLink", "island"] in lines
    told = {one["name"]: one for one in json.loads(run("plugins", "--json", folder=tmp_path).stdout)}
    assert set(told) == {"builtin", "island"}
    assert set(told["builtin"]["hooks"]) == OF_THE_BUILT_INS
    assert [one["name"] for one in told["builtin"]["strategies"]] == ["global", "worker", "auto", "new", "shared"]
    assert told["island"] == {
        "name": "island",
        "distribution": "gpu-island",
        "version": "2.1",
        "state": "ok",
        "hooks": ["list_strategies", "locate_rank"],
        "strategies": [
            {"kind": "rank_scope", "name": "island", "summary": "one part per NVLink island", "example": None}
        ],
        "problem": None,
    }


def test_one_that_is_blocked_is_not_loaded_and_broken_ones_do_not_hide_the_others(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", "raise ImportError('no GPU')")
    install(tmp_path, "blocked-names", "raise SystemExit('loaded')")
    install(tmp_path, "gpu-island", ISLAND)
    install(tmp_path, "other-island", ISLAND)
    result = run("plugins", folder=tmp_path, environ={"FLYTE_WANDB_DISABLE_PLUGINS": "blocked-names"})
    assert (result.returncode, result.stderr) == (1, "")
    states = {line.split()[0]: line.split()[3] for line in result.stdout.splitlines()[2:] if "-" in line[:9]}
    assert states == {
        "acme-names": "broken",
        "blocked-names": "blocked",
        "gpu-island": "broken",
        "other-island": "ok",
    }
    said = result.stdout.splitlines()
    assert (
        "plugin 'acme-names' (acme-names 1.0) cannot be loaded: ImportError: no GPU; repair the module or the "
        "entry point, acme-names = 'acme_names', or uninstall it (to continue without it: "
        "FLYTE_WANDB_DISABLE_PLUGINS=acme-names)"
    ) in said
    assert (
        "two plugins bring the rank_scope 'island': 'other-island' and 'gpu-island'; rename the rank_scope in one of "
        "them, or uninstall one (to continue without it: FLYTE_WANDB_DISABLE_PLUGINS=gpu-island)"
    ) in said
