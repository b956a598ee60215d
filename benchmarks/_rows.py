"""The rows of the tables: declared in `rows.yaml`, each judged by its own limit."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import yaml

from ._experiments import Experiment, Series
from ._samples import MS, UNITS, Samples, Unit, fit_power, rounded

COLUMNS: Final = ("what", "ours", "baseline", "result", "limit", "n", "ok?")
GROWTH_COLUMNS: Final = ("what", "cost of the largest", "of the smallest", "exponent", "expected", "n", "ok?")
_EXPECTED: Final = {"constant": ("constant", 0.1), "linear": ("linear or less", 1.15)}
"""What is said of an expected growth, and the exponent that it may have."""
_VERDICTS: Final = {True: "yes", False: "NO", None: "-"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table. `ok` is None where there is no limit."""

    what: str
    ours: str
    baseline: str = "-"
    result: str = "-"
    limit: str = "-"
    repetitions: int = 1
    ok: bool | None = None

    @property
    def cells(self) -> list[str]:
        """The texts of its cells, in the order of `COLUMNS`."""
        *texts, ok = astuple(self)
        return [*map(str, texts), _VERDICTS[ok]]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A row as `rows.yaml` declares it."""

    what: str  # the row's first cell
    value: str  # which reading it shows, such as ``import.peak``
    baseline: str = ""  # which one it is compared with; else the same one of the experiment's other arm
    unit: Unit = MS  # in which it is shown; limits are in it, too
    judge: str = ""  # what the limit is for: "ratio", "difference", "ceiling", "lacks" or "growth"
    limit: Any = None
    why: str = ""  # why ours may be worse than the baseline
    same: bool = False  # whether both arms run the same code without either package, so that neither is worse
    note: str = ""  # what holds for both


Group = tuple[dict[str, Experiment], list[Declaration]]
"""Experiments by their names, and the rows that show them."""


def read_groups(table: str) -> dict[str, Group]:
    """Return the groups of a table of `rows.yaml` by their names."""
    groups: dict[str, Group] = {}
    for name, group in yaml.safe_load(Path(__file__).with_name("rows.yaml").read_text())[table].items():
        experiments = {each: Experiment(**said) for each, said in group["programs"].items()}
        groups[name] = experiments, [_declaration(what, dict(said)) for what, said in group["rows"].items()]
    return groups


def _declaration(what: str, said: dict[str, Any]) -> Declaration:
    unit, judges = UNITS[said.pop("unit", "ms")], said.keys() - Declaration.__dataclass_fields__.keys()
    judge = judges.pop() if judges else ""
    return Declaration(what=what, unit=unit, judge=judge, limit=said.pop(judge, None), **said)


def judge(declaration: Declaration, measured: Mapping[str, tuple[list[Any], list[Any]]]) -> Row:
    """Return the row of what was measured."""
    ours, baseline = measured[declaration.value]
    if declaration.judge == "lacks":
        return _lacks(declaration, ours, baseline)
    samples = Samples(ours, declaration.unit)
    other = Samples(measured[declaration.baseline][0] if declaration.baseline else baseline, declaration.unit)
    value, result = _judged(declaration, samples, other)
    limit, unit = declaration.limit, "x" if declaration.judge == "ratio" else declaration.unit.name
    return Row(
        what=declaration.what,
        ours=str(samples),
        baseline="-" if declaration.judge == "ceiling" else str(other),
        result=result,
        limit=f"{limit:.2f} x" if limit and unit == "x" else f"{limit:g} {unit}" if limit else "-",
        repetitions=len(ours),
        ok=value <= limit if limit else None,
    )


def _judged(declaration: Declaration, ours: Samples, baseline: Samples) -> tuple[float, str]:
    """Return what is compared with the limit, in its unit, and the text that says it."""
    if declaration.judge == "ratio":
        ratio = ours.median / baseline.median
        return ratio, f"{ratio:.2f} x"
    scale = declaration.unit.scale
    if declaration.judge == "ceiling":
        return ours.median * scale, f"{ours.median * scale / declaration.limit:.0%} of the limit"
    more = ours.minus(baseline)  # pair by pair
    low, high = (rounded(value * scale) for value in more.confidence)
    return more.median * scale, f"{declaration.unit.write(more.median)} (95 %: {low} to {high})"


def _lacks(declaration: Declaration, ours: Sequence[list[str]], baseline: Sequence[list[str]]) -> Row:
    """Say which packages only ours loads, and whether it is free of what is to wait until it is used."""
    added = set().union(*ours) - set(baseline[0]).intersection(*baseline)
    packages = {name.partition(".")[0] for name in added} - sys.stdlib_module_names
    plugins = {entry.module.partition(".")[0] for entry in entry_points(group="flyte_wandb")}
    return Row(
        what=declaration.what,
        ours=", ".join(sorted(packages)),
        result=f"{len(added)} modules more",
        limit=f"no {', '.join(declaration.limit)}, plugin",
        repetitions=len(ours),
        ok=not packages & {*declaration.limit, *plugins},
    )


def judge_growth(declaration: Declaration, costs: Mapping[str, Series]) -> Row:
    """Return the row of a cost, judged by the exponent that is expected."""
    series, write, (limit, most) = costs[declaration.value], declaration.unit.write, _EXPECTED[declaration.limit]
    fit, sizes = fit_power(series.sizes, series.values), series.sizes
    return Row(
        what=f"{declaration.what}: {len(sizes)} sizes, {sizes[0]:,} to {sizes[-1]:,} {series.of}",
        ours=write(series.values[-1]),
        baseline=write(series.values[0]),
        result=str(fit),
        limit=limit,
        repetitions=series.repetitions,
        ok=fit.exponent <= most,
    )
