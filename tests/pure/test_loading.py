"""Plugins that are installed: their order, those left out, and those that cannot be loaded."""

from __future__ import annotations

import itertools
import sys
from importlib.metadata import Distribution, EntryPoint, PathDistribution, entry_points
from pathlib import Path

import pytest

from flyte_wandb import PluginError, plan
from flyte_wandb.plugins._loading import _entry_points, disabled_names, get_manager, load_plugins
from tests.distributions import install
from tests.pure.worlds import request

BUILTIN = EntryPoint(name="builtin", value="flyte_wandb_builtin_strategies", group="flyte_wandb")
SOURCE = """
from flyte_wandb import hookimpl

@hookimpl
def compute_run_id():
    return {name!r}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def distribution(folder: Path, name: str, version: str) -> Distribution:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return PathDistribution(info)


def plugin(folder: Path, name: str, module: str, source: str = SOURCE) -> EntryPoint:
    (folder / f"{module}.py").write_text(source.format(name=name))
    return EntryPoint(name=name, value=module, group="flyte_wandb")


def of(entry_point: EntryPoint, dist: Distribution) -> EntryPoint:
    """The entry point as `importlib.metadata` finds it in an installed distribution."""
    vars(entry_point)["dist"] = dist
    return entry_point


@pytest.mark.parametrize("names", [("acme", "beta", "zeta"), ("acme", "acme-extra", "acme_b"), ("B", "a", "c")])
def test_plugins_are_asked_in_the_order_of_their_names_and_the_built_in_last(
    folder: Path, names: tuple[str, ...]
) -> None:
    found = [plugin(folder, name, f"order_{name.replace('-', '_')}") for name in names]
    for order in itertools.permutations([*found, BUILTIN]):
        strategies = load_plugins(order)
        asked = []
        for name in names:
            asked.append(plan(request(), strategies).run_id)
            strategies.unregister(name)
        assert asked == list(names)
        assert plan(request(), strategies).run_id == "r1-a0"


def test_a_plugin_named_before_the_built_in_is_still_asked_before_it(folder: Path) -> None:
    assert plan(request(), load_plugins([plugin(folder, "a", "before"), BUILTIN])).run_id == "a"
    assert plan(request(), load_plugins([plugin(folder, "z", "behind"), BUILTIN])).run_id == "z"


def test_a_disabled_plugin_is_not_even_imported(folder: Path) -> None:
    broken = plugin(folder, "broken", "broken_disabled", "raise ImportError('no GPU')")
    assert plan(request(), load_plugins([broken, BUILTIN], disabled=frozenset({"broken"}))).run_id == "r1-a0"


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("import a_module_that_nobody_has", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError: "),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_its_distribution_and_the_remedy(
    folder: Path, source: str, failure: str
) -> None:
    found = of(plugin(folder, "acme", f"broken_{failure[:6]}", source), distribution(folder, "acme-names", "1.2"))
    with pytest.raises(PluginError) as caught:
        load_plugins([BUILTIN, found])
    assert str(caught.value).startswith(f"plugin 'acme' (acme-names 1.2) cannot be loaded: {failure}")
    assert str(caught.value).endswith(
        f"; repair the module or the entry point, acme = {found.value!r}, or uninstall it (to continue without it: "
        "FLYTE_WANDB_DISABLE_PLUGINS=acme)"
    )


def test_an_entry_point_to_nothing_is_named_with_its_module(folder: Path) -> None:
    with pytest.raises(PluginError) as caught:
        load_plugins([EntryPoint(name="acme", value="not_installed_anywhere", group="flyte_wandb")])
    assert str(caught.value) == (
        "plugin 'acme' (not_installed_anywhere) cannot be loaded: ModuleNotFoundError: No module named "
        "'not_installed_anywhere'; repair the module or the entry point, acme = 'not_installed_anywhere', or uninstall "
        "it (to continue without it: FLYTE_WANDB_DISABLE_PLUGINS=acme)"
    )


def test_an_entry_point_to_a_name_that_the_module_lacks_is_named(folder: Path) -> None:
    (folder / "acme_lacking.py").write_text("")
    with pytest.raises(PluginError) as caught:
        load_plugins([EntryPoint(name="acme", value="acme_lacking:plugin", group="flyte_wandb")])
    assert str(caught.value) == (
        "plugin 'acme' (acme_lacking:plugin) cannot be loaded: AttributeError: module 'acme_lacking' has no attribute "
        "'plugin'; repair the module or the entry point, acme = 'acme_lacking:plugin', or uninstall it (to continue "
        "without it: FLYTE_WANDB_DISABLE_PLUGINS=acme)"
    )


def test_a_plugin_that_does_not_fit_is_named_with_its_distribution(folder: Path) -> None:
    source = "from flyte_wandb import hookimpl\n\n@hookimpl\ndef compute_runid(): ..."
    found = of(plugin(folder, "acme", "misspelt_hook", source), distribution(folder, "acme-names", "1.2"))
    with pytest.raises(PluginError, match=r"plugin 'acme' \(acme-names 1\.2\) does not fit the contract: .*compute_ru"):
        load_plugins([found])


def test_two_installed_plugins_of_one_name_are_named_with_both_distributions(folder: Path) -> None:
    first = of(plugin(folder, "acme", "twice_one"), distribution(folder, "acme-names", "1.0"))
    second = of(plugin(folder, "acme", "twice_two"), distribution(folder, "acme-other", "2.0"))
    with pytest.raises(PluginError, match="two plugins are called 'acme'") as caught:
        load_plugins([first, second])
    assert "acme-names 1.0" in str(caught.value)
    assert "acme-other 2.0" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, set()),
        ("", set()),
        (" , ,", set()),
        ("acme", {"acme"}),
        ("acme,beta", {"acme", "beta"}),
        (" acme , beta ,", {"acme", "beta"}),
    ],
)
def test_the_names_to_leave_out_are_separated_by_commas(
    text: str | None, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLYTE_WANDB_DISABLE_PLUGINS", raising=False)
    if text is not None:
        monkeypatch.setenv("FLYTE_WANDB_DISABLE_PLUGINS", text)
    assert disabled_names() == names


def test_the_built_in_strategies_are_found_through_their_entry_point_once_per_process() -> None:
    assert [one.name for one in get_manager().strategies("run_mode")] == ["auto", "new", "shared"]
    assert [one.name for one in get_manager().strategies("rank_scope")] == ["global", "worker"]
    assert get_manager() is get_manager()
    assert plan(request()).steps[0].plugin == "builtin"


def test_a_variable_leaves_out_an_installed_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_WANDB_DISABLE_PLUGINS", "builtin")
    assert get_manager.__wrapped__().strategies("run_mode") == []


def test_a_distribution_that_another_one_of_its_name_hides_brings_no_plugin(folder: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "behind"
    hidden.mkdir()
    install(hidden, "acme-names", "", version="1.0", plugin="acme-old")
    install(folder, "acme-names", "", version="2.0", plugin="acme-new")
    sys.path.append(str(hidden))
    try:
        names = {point.name for point in _entry_points.__wrapped__()}
        assert names == {point.name for point in entry_points(group="flyte_wandb")}
    finally:
        sys.path.remove(str(hidden))
    assert "acme-new" in names
    assert "acme-old" not in names


def test_a_folder_that_is_twice_in_the_path_brings_its_plugin_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(folder, "acme-names", "", plugin="acme")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path, str(folder)])
    assert [point.name for point in _entry_points.__wrapped__()].count("acme") == 1
