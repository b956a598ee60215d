"""Who imports whom, read from the sources, and what `import flyte_wandb` loads, seen in a fresh interpreter."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flyte_wandb
import flyte_wandb_builtin_strategies
import flyte_wandb_hookspecs
from flyte_wandb import testing
from tests.checkout import ROOT, SCRIPTS, import_path, process_environ
from tests.distributions import install

HOST, CONTRACT, BUILT_INS = flyte_wandb, flyte_wandb_hookspecs, flyte_wandb_builtin_strategies


def sources(package: object) -> Iterator[Path]:
    return Path(str(package.__path__[0])).rglob("*.py")  # type: ignore[attr-defined]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Hold the imports of a checkout against the contracts of its pyproject.toml, as `make check` does."""
    environ = os.environ | {"PYTHONPATH": import_path(root=root)}
    command = [str(SCRIPTS / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the packages that a test may break."""
    for name in ("flyte_wandb", "hookspecs", "builtin_strategies"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("flyte_wandb/plans/_plan.py", "from ..tasks._call import call_sync", "The order of the rooms"),
        (
            "flyte_wandb/links/_pages.py",
            "def lazily(): from ..runs._registry import OPEN_RUNS",
            "The order of the rooms",
        ),
        ("flyte_wandb/attic/__init__.py", "", "The order of the rooms"),
        (
            "flyte_wandb/testing/state/_run.py",
            "from ..graphql._calls import Call",
            "The order of the rooms of the double of W&B's server",
        ),
        ("flyte_wandb/runs/_registry.py", "import wandb", "One room imports wandb"),
        ("hookspecs/flyte_wandb_hookspecs/_types.py", "import flyte", "The contract imports pluggy and nothing else"),
        (
            "builtin_strategies/flyte_wandb_builtin_strategies/_names.py",
            "import flyte_wandb",
            "The built-ins import the contract and nothing else",
        ),
        (
            "flyte_wandb/plugins/_loading.py",
            "import flyte_wandb_builtin_strategies",
            "The host does not import the built-ins: it finds them as any plugin",
        ),
    ],
)
def test_an_import_against_the_order_breaks_the_check(checkout: Path, file: str, line: str, contract: str) -> None:
    path = checkout / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{path.read_text() if path.exists() else ''}\n{line}\n")
    result = lint_imports(checkout)
    assert result.returncode == 1
    words = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)  # the colours that nox asks every program for
    assert f"{contract} BROKEN" in words, result.stdout + result.stderr


def test_the_imports_are_in_order(checkout: Path) -> None:
    result = lint_imports(checkout)
    assert result.returncode == 0, result.stdout + result.stderr


def test_one_module_changes_task_templates() -> None:
    changes = ("task.func =", "task.links =", "task.report =")
    changing = [path.name for path in sources(HOST) if any(change in path.read_text() for change in changes)]
    assert changing == ["_flyte_task.py"]


@pytest.mark.parametrize("package", [HOST, CONTRACT, BUILT_INS], ids=lambda package: package.__name__)
def test_every_package_says_that_it_is_typed(package: object) -> None:
    assert (Path(str(package.__path__[0])) / "py.typed").is_file()  # type: ignore[attr-defined]


def loaded_by(statement: str, folder: Path) -> set[str]:
    """Names of the modules in memory after `statement`, run in `folder` as Flyte runs code: the folder comes first."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    environ = process_environ(folder)
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.fixture
def third_party(tmp_path: Path) -> Path:
    """A folder with an installed plugin that cannot be imported."""
    install(tmp_path, "broken-plugin", "raise RuntimeError('imported')", plugin="broken")
    return tmp_path


def test_importing_the_package_and_decorating_loads_no_wandb_no_torch_and_no_plugin(third_party: Path) -> None:
    statement = "import flyte_wandb; flyte_wandb.wandb_init(settings={'mode': 'offline'})(lambda: None)"
    added = loaded_by(statement, third_party) - loaded_by("import flyte", third_party)
    packages = {name.partition(".")[0] for name in added}
    assert packages & {"wandb", "torch", "rich", "pluggy", "broken_plugin", "flyte_wandb_builtin_strategies"} == set()
    assert "flyte_wandb" in packages


DECORATING = """
import collections, email.parser, sys
import flyte, flyte_wandb
from flyte_wandb import Wandb, wandb_init
read, parsed = collections.Counter(), []
sys.addaudithook(lambda event, values: event == "open" and read.update([str(values[0])]))
sys.setprofile(lambda frame, *_: parsed.append(1) if frame.f_code is email.parser.Parser.parse.__code__ else None)
wandb_init(run_mode="new", rank_scope="worker")(flyte.TaskEnvironment(name="env").task(lambda: None))
sys.setprofile(None)
assert parsed == [], "metadata was parsed"
assert "flyte_wandb.plugins._loading" in sys.modules
metadata = {path: times for path, times in read.items() if path.endswith("METADATA")}
assert {path.split("/")[-2].split("-")[0] for path in metadata} == {"flyte_wandb", "names_of_ours"}, metadata
# Once as the one with the plugin, and once as the one that Python imports by this name.
assert set(metadata.values()) <= {1, 2}, metadata
"""


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="Python 3.15 parses the metadata of what it looks up by name")
def test_a_decoration_that_asks_plugins_parses_no_metadata_and_loads_only_what_it_needs(tmp_path: Path) -> None:
    source = "from flyte_wandb import hookimpl\n\n@hookimpl\ndef compute_run_id(): ..."
    install(tmp_path, "names-of-ours", source)
    loaded = loaded_by(DECORATING, tmp_path)
    later = ("wandb", *(f"flyte_wandb.{name}" for name in ("runs", "sweeps", "settings._sweep_schema", "tasks._call")))
    assert [name for name in loaded if name.startswith(later)] == []


IN_A_RUN = """
import os, sys
os.environ.update(WANDB_ERROR_REPORTING="false", WANDB__DISABLE_STATS="true", WANDB_SILENT="true")
from flyte_wandb import get_wandb_run, wandb_init
@wandb_init(project="p", mode="offline")
def task():
    assert get_wandb_run().offline
    return [name for name in sys.modules if name.startswith("flyte_wandb.")]
in_code = task()
for name in [name for name in sys.modules if name.startswith("flyte_wandb.") and name not in in_code]:
    del sys.modules[name]
"""


def test_a_task_that_is_in_its_code_with_the_run_open_has_loaded_nothing_that_only_others_need(tmp_path: Path) -> None:
    rooms = ("results.report", "results.offline", "sweeps", "cli", "testing")
    of_others = (*rooms, "_outcomes", "runs._inputs", "wandb_client._delivery", "wandb_client._log_file")
    loaded = loaded_by(IN_A_RUN, tmp_path)
    assert "flyte_wandb.wandb_client._run" in loaded
    assert [name for name in loaded if name.startswith(tuple(f"flyte_wandb.{one}" for one in of_others))] == []


def test_what_opens_a_run_loads_no_http_client_which_only_a_server_that_does_not_listen_needs(tmp_path: Path) -> None:
    added = loaded_by("import flyte_wandb.tasks._call", tmp_path) - loaded_by("import flyte", tmp_path)
    assert "flyte_wandb.wandb_client._waiting" in added
    assert added & {"http.client", "urllib.request"} == set()


LINKS = """
import flyte_wandb
from flyte_wandb.links._pages import find_pages
from flyte_wandb._place import Place
place = Place(project="vision", entity="team", host="https://wandb.example.com")
assert find_pages(place).project == "https://wandb.example.com/team/vision"
import os
os.environ.update(WANDB_BASE_URL="http://localhost:8080/", WANDB_ENTITY="team", WANDB_PROJECT="audio")
assert find_pages(Place(project=None, entity=None, host=None)).project == "http://localhost:8080/team/audio"
os.environ["WANDB_BASE_URL"] = "https://api.wandb.ai"
assert find_pages(Place(project=None, entity=None, host=None)).project == "https://wandb.ai/team/audio"
os.environ["WANDB_BASE_URL"] = "http://localhost:8080/"
link = flyte_wandb.Wandb(project="vision", nodes=2, per_node=2, run_mode="new")
url = link.get_link("{{.runName}}", "p", "d", {}, "", "{{.actionName}}", "pod")
assert url == "http://localhost:8080/team/vision/groups/{{.runName}}-{{.actionName}}/workspace", url
"""


def test_links_whose_place_is_known_load_no_client(tmp_path: Path) -> None:
    assert "wandb" not in loaded_by(LINKS, tmp_path)
    # What W&B's client refuses, and where only it knows the app of an API, is left to it.
    known = "os.environ['WANDB_BASE_URL'] = 'https://api.example.com'"
    other = f"{known}\nassert find_pages(place) and find_pages(Place(project='p', entity='e', host=None)).server"
    assert "wandb" in loaded_by(f"{LINKS}\n{other} == 'https://app.example.com'", tmp_path)


def test_the_package_by_itself_loads_nothing_that_costs_until_a_name_is_asked_for(third_party: Path) -> None:
    added = loaded_by("import flyte_wandb", third_party) - loaded_by("import importlib, typing", third_party)
    assert added == {"flyte_wandb"}


def test_the_double_by_itself_loads_neither_flyte_nor_wandb(tmp_path: Path) -> None:
    statement = "import flyte_wandb.cli._server\nfrom flyte_wandb.testing import WandbServer\nWandbServer().start()"
    loaded = {name.partition(".")[0] for name in loaded_by(statement, tmp_path)}
    assert loaded & {"flyte", "wandb", "torch", "pluggy", "pydantic", "asyncio"} == set()


def test_a_broken_plugin_is_an_error_with_a_remedy_when_it_is_needed(third_party: Path) -> None:
    statement = (
        "import flyte_wandb\n"
        "try:\n"
        "    flyte_wandb.plan(flyte_wandb.Request(run_name='r', action_name='a'))\n"
        "except flyte_wandb.PluginError as error:\n"
        "    assert str(error) == (\"plugin 'broken' (broken-plugin 1.0) cannot be loaded: RuntimeError: imported; \"\n"
        "        \"repair the module or the entry point, broken = 'broken_plugin', or uninstall it \"\n"
        "        '(to continue without it: FLYTE_WANDB_DISABLE_PLUGINS=broken)'), error\n"
        "else:\n"
        "    raise SystemExit('not refused')"
    )
    loaded_by(statement, third_party)


@pytest.mark.parametrize("name", ["hookspecs", "builtin_strategies"])
def test_a_users_own_module_of_that_name_harms_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')")
    statement = (
        "import flyte_wandb\n"
        "request = flyte_wandb.Request(run_name='r1', action_name='a0')\n"
        "assert flyte_wandb.plan(request).run_id == 'r1-a0'"
    )
    assert name not in loaded_by(statement, tmp_path)


def test_every_public_name_can_be_imported() -> None:
    assert [name for name in flyte_wandb.__all__ if getattr(flyte_wandb, name, None) is None] == []
    assert set(flyte_wandb.__all__) <= set(dir(flyte_wandb))
    assert [name for name in testing.__all__ if getattr(testing, name, None) is None] == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'wandb_innit'"):
        _ = flyte_wandb.wandb_innit  # type: ignore[attr-defined]
