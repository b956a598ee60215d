"""Every block of code in the documentation is run by a test, or stands here with the reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from tests.docs.pages import PAGES, Block, blocks, exists

KINDS: Final = ("python", "console", "toml")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Blocks of a page, and what runs them.

    Attributes:
        page: Path of the page in the repository.
        kind: The kind of the blocks.
        words: What they contain; every block of the kind where empty.
        by: The test that runs them, or what they are the same as; None where nothing does.
        same_as: The test that fails where they are not what `by` runs, such as an example's file, or None.
        why_not: Why nothing runs them.
    """

    page: str
    kind: str
    words: str = ""
    by: str | None = None
    same_as: str | None = None
    why_not: str = ""

    def covers(self, block: Block) -> bool:
        """Whether a block is among these."""
        return (self.page, self.kind) == (block.page, block.kind) and self.words in block.text


INSTALLS: Final = "installs from the package index; the wheel is built and used by tests/structure/test_distribution.py"
PLUGIN_PAGES: Final = "tests/docs/test_plugin_pages.py"
CLUSTER: Final = "tests/docs/test_cluster_page.py"
WRITES: Final = "test_the_package_of_a_page_is_the_one_that_the_command_of_the_page_writes"
INSTALLS_WRITTEN: Final = "test_the_package_of_the_page_installs_and_is_listed_and_plans"
UNTRIED: Final = "test_no_other_command_goes_untried"
CONTRIBUTING: Final = "tests/docs/test_contributing.py::test_every_command_of_the_page_does_what_it_says"
RUNS: Final = [
    Run(page="README.md", kind="console", words="make demo", why_not="they are the demo and this suite itself"),
    Run(page="README.md", kind="console", words="pip install", why_not=INSTALLS),
    Run(
        page="README.md",
        kind="console",
        words="first.py",
        by="tests/docs/test_readme.py::test_the_first_command_prints_what_the_readme_says",
    ),
    Run(
        page="README.md",
        kind="python",
        words="epochs: int = 5",
        by="tests/docs/test_readme.py::test_the_first_command_prints_what_the_readme_says",
        same_as="tests/docs/test_readme.py::test_the_first_task_is_the_example",
    ),
    Run(
        page="README.md",
        kind="console",
        words="quickstart.py",
        by="tests/docs/test_readme.py::test_the_quickstart_opens_the_runs_that_it_says",
    ),
    Run(
        page="README.md",
        kind="python",
        words="secrets=",
        by=f"{CLUSTER}::test_the_commands_reach_the_cluster_with_key_image_code_and_link",
        same_as=f"{CLUSTER}::test_the_program_is_the_example_and_the_readme_shows_a_part_of_it",
    ),
    Run(
        page="README.md",
        kind="console",
        words="flyte create",
        by=f"{CLUSTER}::test_the_commands_reach_the_cluster_with_key_image_code_and_link",
        same_as=f"{CLUSTER}::test_the_program_is_the_example_and_the_readme_shows_a_part_of_it",
    ),
    Run(
        page="README.md",
        kind="python",
        words="def locate_rank",
        by="tests/docs/test_readme.py::test_the_plugin_brings_a_scope_for_every_run_mode",
    ),
    Run(page="README.md", kind="toml", by="tests/docs/test_readme.py::test_the_entry_point_makes_the_module_a_plugin"),
    Run(
        page="docs/on-a-cluster.md",
        kind="python",
        words="init_from_config",
        by=f"{CLUSTER}::test_the_commands_reach_the_cluster_with_key_image_code_and_link",
        same_as=f"{CLUSTER}::test_the_program_is_the_example_and_the_readme_shows_a_part_of_it",
    ),
    Run(
        page="docs/on-a-cluster.md",
        kind="console",
        by=f"{CLUSTER}::test_the_commands_reach_the_cluster_with_key_image_code_and_link",
    ),
    Run(
        page="docs/on-a-cluster.md",
        kind="python",
        words="with_source_file",
        by=f"{CLUSTER}::test_an_image_that_is_not_there_is_to_be_built_with_the_package",
    ),
    Run(
        page="docs/on-a-cluster.md",
        kind="python",
        words="team-wandb-key",
        by=f"{CLUSTER}::test_the_task_of_many_ranks_and_the_other_secret_are_as_the_page_says",
    ),
    Run(
        page="docs/on-a-cluster.md",
        kind="python",
        words="Elastic",
        by=f"{CLUSTER}::test_the_task_of_many_ranks_and_the_other_secret_are_as_the_page_says",
    ),
    Run(
        page="docs/on-a-cluster.md",
        kind="python",
        words="def test_training",
        by=f"{CLUSTER}::test_the_way_to_try_it_without_a_cluster_works",
    ),
    Run(page="CONTRIBUTING.md", kind="console", by=CONTRIBUTING),
    Run(
        page="docs/bring-results-home.md",
        kind="console",
        by="tests/docs/test_bring_results_home.py::test_the_commands_print_what_the_page_says",
    ),
    Run(
        page="docs/bring-results-home.md",
        kind="python",
        words="download_logs=True",
        by="tests/docs/test_bring_results_home.py::test_a_task_with_the_setting_has_its_run_in_flytes_storage",
    ),
    Run(
        page="docs/bring-results-home.md",
        kind="python",
        words="async def main",
        by="tests/docs/test_bring_results_home.py::test_the_example_fetches_the_run_of_a_distributed_task_in_the_next_one",
        same_as="tests/docs/test_bring_results_home.py::test_the_example_is_on_the_page",
    ),
    Run(
        page="docs/bring-results-home.md",
        kind="python",
        words="losses =",
        by="tests/docs/test_bring_results_home.py::test_the_folder_is_read_as_the_page_says",
    ),
    Run(
        page="docs/cli.md",
        kind="console",
        by="tests/cli/test_help.py::test_an_example_is_one_that_its_command_takes",
    ),
    Run(
        page="docs/concepts.md",
        kind="python",
        by="tests/docs/test_start_pages.py::test_settings_are_those_that_the_page_asserts",
    ),
    Run(
        page="docs/device-mesh.md",
        kind="python",
        by="tests/docs/test_device_mesh_page.py::test_the_code_opens_a_run_for_each_replica",
    ),
    Run(
        page="docs/distributed.md",
        kind="python",
        by="tests/docs/test_readme.py::test_the_worlds_of_the_page_on_ranks_are_planned_as_declared_and_can_be_tried",
    ),
    Run(
        page="docs/hooks.md",
        kind="python",
        by="tests/docs/test_hooks_page.py::test_the_example_of_every_hook_is_asked_here",
        same_as="tests/docs/test_hooks_page.py::test_the_page_is_what_the_docstrings_say",
    ),
    Run(page="docs/index.md", kind="console", words="pip install", why_not=INSTALLS),
    Run(
        page="docs/index.md",
        kind="console",
        words="first.py",
        by="tests/docs/test_readme.py::test_the_first_command_prints_what_the_readme_says",
        same_as="tests/docs/test_start_pages.py::test_the_first_page_has_the_commands_of_the_readme",
    ),
    Run(
        page="docs/index.md",
        kind="python",
        words="epochs: int = 5",
        by="tests/docs/test_readme.py::test_the_first_command_prints_what_the_readme_says",
        same_as="tests/docs/test_start_pages.py::test_the_programs_of_the_first_page_are_the_examples",
    ),
    Run(
        page="docs/index.md",
        kind="python",
        words="async def main",
        by="tests/docs/test_readme.py::test_the_quickstart_opens_the_runs_that_it_says",
        same_as="tests/docs/test_start_pages.py::test_the_programs_of_the_first_page_are_the_examples",
    ),
    Run(
        page="docs/links-and-plans.md",
        kind="console",
        by="tests/docs/test_links_and_plans.py::test_a_command_prints_what_the_page_says",
    ),
    Run(
        page="docs/links-and-plans.md",
        kind="python",
        words="@hookimpl",
        by="tests/docs/test_links_and_plans.py::test_a_command_prints_what_the_page_says",
    ),
    Run(
        page="docs/links-and-plans.md",
        kind="python",
        words="found = preview(",
        by="tests/docs/test_links_and_plans.py::test_the_preview_in_python_is_what_the_page_says",
    ),
    Run(
        page="docs/links-and-plans.md",
        kind="python",
        words="by_hand",
        by="tests/docs/test_links_and_plans.py::test_links_by_hand_lead_where_the_page_says",
    ),
    Run(
        page="docs/migrate.md",
        kind="python",
        words="metrics_history.json",
        by="tests/docs/test_migrate_differences.py::test_two_lines_write_the_history_as_one_file",
    ),
    Run(
        page="docs/migrate.md",
        kind="python",
        words="import flyte",
        by="tests/docs/test_migrate_page.py::test_the_code_opens_the_runs_of_parent_and_child",
    ),
    Run(
        page="docs/offline.md",
        kind="console",
        by="tests/docs/test_offline_page.py::test_the_commands_print_what_the_page_says",
    ),
    Run(
        page="docs/offline.md",
        kind="python",
        by="tests/docs/test_offline_page.py::test_the_task_uploads_what_is_in_a_storage",
    ),
    Run(
        page="docs/reliability.md",
        kind="python",
        by="tests/docs/test_reliability_page.py::test_the_code_of_the_page_is_accepted",
    ),
    Run(
        page="docs/sweeps.md",
        kind="python",
        words="square root",
        by="tests/docs/test_sweeps_page.py::test_the_example_finds_the_best_trial",
        same_as="tests/docs/test_sweeps_page.py::test_the_example_is_on_the_page",
    ),
    Run(
        page="docs/sweeps.md",
        kind="python",
        words="ClusteredTaskEnvironment",
        by="tests/docs/test_sweeps_page.py::test_trials_of_many_ranks",
    ),
    Run(
        page="docs/sweeps.md",
        kind="python",
        words="wandb.agent",
        by="tests/docs/test_sweeps_page.py::test_trials_in_one_task",
    ),
    Run(
        page="docs/test-your-plugin.md",
        kind="python",
        by="tests/docs/test_test_your_plugin.py::test_the_tests_of_the_page_pass",
    ),
    Run(page="docs/double.md", kind="python", by="tests/docs/test_double_page.py::test_the_code_of_the_page_runs"),
    Run(page="docs/double.md", kind="console", by="tests/cli/test_server.py::test_it_serves_until_it_is_ended"),
    Run(
        page="docs/integrations.md",
        kind="python",
        words="WandbLogger",
        by="tests/integrations/test_lightning.py::test_its_logger_writes_to_the_run_of_the_task",
    ),
    Run(
        page="docs/integrations.md",
        kind="python",
        words="TrainingArguments",
        by="tests/integrations/test_transformers.py::test_it_writes_to_the_run_of_the_task",
    ),
    Run(
        page="docs/integrations.md",
        kind="python",
        words="end_training",
        by="tests/integrations/test_accelerate.py::test_its_tracker_writes_to_the_run_of_the_task",
    ),
    Run(
        page="docs/processes-and-threads.md",
        kind="python",
        by="tests/docs/test_processes_page.py::test_the_code_of_the_page_logs_to_the_run_of_its_task",
    ),
    Run(page="docs/report.md", kind="python", by="tests/docs/test_report_page.py::test_the_code_has_the_tab"),
    Run(
        page="docs/report.md",
        kind="console",
        by="tests/cli/test_report.py::test_it_prints_the_path_of_a_runs_report",
    ),
    *(
        Run(page=page, kind=kind, words=words, by=f"{PLUGIN_PAGES}::{by}", same_as=f"{PLUGIN_PAGES}::{same_as}")
        for page in ("docs/write-a-rank-scope.md", "docs/write-a-run-mode.md")
        for kind, words, by, same_as in (
            ("console", "new-plugin", WRITES, UNTRIED),
            ("console", "$ cd", INSTALLS_WRITTEN, UNTRIED),
            ("console", "$ pip install -e", INSTALLS_WRITTEN, UNTRIED),
            ("console", "$ pytest", INSTALLS_WRITTEN, UNTRIED),
            ("console", "flyte wandb", "test_a_command_prints_what_the_page_says", UNTRIED),
            ("console", "export", "test_a_command_prints_what_the_page_says", UNTRIED),
            ("python", "@hookimpl", "test_every_plugin_of_the_pages_fits_the_contract", WRITES),
        )
    ),
    Run(page="docs/write-a-rank-scope.md", kind="toml", by=f"{PLUGIN_PAGES}::{INSTALLS_WRITTEN}"),
    Run(
        page="docs/write-a-run-mode.md",
        kind="python",
        words="PluginConformance",
        by="tests/plugins/test_new_plugin.py::test_the_whole_suite_of_a_plugin_that_brings_everything_passes",
        same_as=f"{PLUGIN_PAGES}::{WRITES}",
    ),
    Run(
        page="docs/your-organisations-run-ids.md",
        kind="console",
        by=f"{PLUGIN_PAGES}::test_a_command_prints_what_the_page_says",
    ),
    Run(
        page="docs/your-organisations-run-ids.md",
        kind="python",
        words="hookimpl",
        by=f"{PLUGIN_PAGES}::test_every_plugin_of_the_pages_fits_the_contract",
    ),
    Run(
        page="docs/your-organisations-run-ids.md",
        kind="python",
        words="flyte.Image",
        by=f"{PLUGIN_PAGES}::test_the_code_that_is_no_plugin_runs",
    ),
]
BLOCKS: Final = [block for page in PAGES for block in blocks(page) if block.kind in KINDS]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}-{block.kind}")
def test_a_block_has_exactly_one_entry(block: Block) -> None:
    entries = [one for one in RUNS if one.covers(block)]
    assert len(entries) == 1, f"{len(entries)} entries in RUNS for this block of {block.page}:\n{block.text}"


def test_every_entry_has_a_block_and_a_test_or_a_reason() -> None:
    assert [one for one in RUNS if not any(one.covers(block) for block in BLOCKS)] == []
    assert [one for one in RUNS if bool(one.by) == bool(one.why_not)] == []
    assert [test for one in RUNS for test in (one.by, one.same_as) if test and not exists(test)] == []
