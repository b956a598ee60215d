"""The versions that this package is tested with, without torch: `make matrix` runs all rows and writes their table.

Every two of a Python, a flyte and a wandb meet in some row. One more row has the lower bounds of pyproject.toml. A row
whose interpreter is not on this machine does not run, and the table says so.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import nox
from packaging.requirements import Requirement

PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
FLYTES: Final = ("==2.6.0", "~=2.8.0", "~=2.10.0", "")
WANDBS: Final = ("~=0.29.0", "~=0.30.0", "")
ROWS: Final = [
    nox.param(python, flyte, WANDBS[(place + turn) % len(WANDBS)], id=f"row-{len(FLYTES) * place + turn + 1}")
    for place, python in enumerate(PYTHONS)
    for turn, flyte in enumerate(FLYTES)
]
PACKAGES: Final = ("flyte", "wandb", "pluggy")
TOOLS: Final = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "import-linter", "build", "hatchling")
TESTS: Final = (
    "tests/pure",
    "tests/structure/test_imports.py",
    "tests/local/test_runs.py",
    "tests/local/test_outcomes.py",
    "tests/container/test_one_process.py",
    "tests/container/test_processes.py::test_a_task_that_does_not_succeed_fails_its_run",
    "tests/container/test_processes.py::test_a_child_in_another_process_writes_to_its_parents_run",
    "tests/plugins/test_conformance.py",
    "tests/double/test_runs.py",
    "tests/double/test_resume.py",
    "tests/double/test_shared.py",
    "tests/double/test_sweeps.py",
    "tests/ranks/test_clustered.py::test_nodes_of_different_sizes",
    "tests/ranks/test_clustered.py::test_a_rank_that_skips_imports_no_wandb",
    "tests/sweeps/test_agents.py",
    "tests/faults/test_outages.py",
    "tests/integrations/test_flyte.py",
)
RESULTS: Final = Path(".nox/results")
PAGE: Final = Path("docs/compatibility.md")
START, END = "<!-- written by `make matrix` -->\n", "<!-- end -->\n"
INSTALLED: Final = (
    "import importlib.metadata, json, platform\n"
    f"versions = {{name: importlib.metadata.version(name) for name in {PACKAGES}}}\n"
    "print(json.dumps({'Python': platform.python_version(), **versions}))"
)

nox.options.sessions = ["rows", "lowest", "table"]
nox.options.reuse_existing_virtualenvs = True
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False


@nox.session
@nox.parametrize(("python", "flyte", "wandb"), ROWS)
def rows(session: nox.Session, flyte: str, wandb: str) -> None:
    """Test one row of versions."""
    _test(session, f"flyte{flyte}", f"wandb{wandb}")


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Test the lower bounds of pyproject.toml, all at once."""
    declared = map(Requirement, nox.project.load_toml("pyproject.toml")["project"]["dependencies"])
    _test(session, *(str(one).replace(">=", "==") for one in declared))


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Write the results of all rows into the page on compatibility."""
    before, _, rest = PAGE.read_text().partition(START)
    text = "\n".join(_lines())
    PAGE.write_text(f"{before}{START}{text}\n{END}{rest.partition(END)[2]}")
    session.log(f"the table in {PAGE}:\n{text}")


def _test(session: nox.Session, *pinned: str) -> None:
    name = session.name.replace("(", " ").replace(")", "").split()[-1]
    RESULTS.mkdir(parents=True, exist_ok=True)
    results = RESULTS / f"{name}.xml"
    results.unlink(missing_ok=True)
    results.with_suffix(".json").write_text("{}")
    session.install("--quiet", "--editable", ".", *TOOLS, *pinned)
    versions = session.run("python", "-c", INSTALLED, silent=True)
    results.with_suffix(".json").write_text(str(versions))
    options = ("-q", "-n", "2", "--dist", "worksteal", f"--junitxml={results.resolve()}")
    session.run("python", "-m", "pytest", *options, *(session.posargs or TESTS))


def _lines() -> Iterator[str]:
    """Return the lines of the table, and why tests were skipped."""
    yield f"As of {time.strftime('%Y-%m-%d', time.gmtime())}, without torch:\n"
    yield "| row | Python | flyte | wandb | pluggy | passed | failed | skipped | seconds |"
    yield "|---|---|---|---|---|---|---|---|---|"
    reasons: set[str] = set()
    pythons = {str(param.id): str(param.args[0]) for param in ROWS} | {"lowest": PYTHONS[0]}
    for row, python in pythons.items():
        yield f"| {row} | {' | '.join(_cells(row, python, reasons))} |"
    yield "\nSkipped, each where its reason holds:\n"
    yield from (f"- {reason}" for reason in sorted(reasons))


def _cells(row: str, python: str, reasons: set[str]) -> list[str]:
    results = RESULTS / f"{row}.xml"
    installed = results.with_suffix(".json")
    if not results.exists():  # without the interpreter the row has not even begun
        missing = f"no Python {python}" if shutil.which(f"python{python}") is None else f"{python}, not run"
        return [f"{python}, broke off" if installed.exists() else missing, *["-"] * 7]
    versions: dict[str, str] = json.loads(installed.read_text())
    (suite,) = ElementTree.parse(results).getroot()
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped = int(suite.get("skipped", 0))
    reasons |= {_reason(one) for one in suite.iter("skipped")}
    passed = int(suite.get("tests", 0)) - failed - skipped
    return [*versions.values(), *map(str, (passed, failed, skipped)), f"{float(suite.get('time', 0)):.0f}"]


def _reason(skipped: ElementTree.Element) -> str:
    """Return why a test was skipped; of a whole module pytest tells it in the text only."""
    whole_module = (skipped.text or "").rpartition("Skipped: ")[2].removesuffix("')")
    message = str(skipped.get("message"))
    return whole_module if message == "collection skipped" else message
