"""The rows of the tables: declared in `rows.yaml`, each judged by its own limit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from ._experiments import Experiment
from ._samples import MS, UNITS, Samples, Unit

DECLARATIONS: Final = Path(__file__).with_name("rows.yaml")
COLUMNS: Final = ("what", "ours", "baseline", "result", "limit", "n", "ok?")
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
    """A row as `rows.yaml` declares it.

    Attributes:
        what: The row's first cell.
        value: Which reading it shows, such as ``import.peak``.
        baseline: Which one it is compared with; none is the same one of the experiment's other arm.
        unit: The unit in which it is shown; limits are in it, too.
        judge: What the limit is for: "ratio", "difference", "ceiling", "lacks" or "growth".
        limit: The limit, None where there is none.
        why: Why ours may be worse than the baseline.
        note: What holds for both.
    """

    what: str
    value: str
    baseline: str = ""
    unit: Unit = MS
    judge: str = ""
    limit: Any = None
    why: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some rows, and the experiments that they show."""

    experiments: dict[str, Experiment]
    rows: list[Declaration]


def read_groups(table: str) -> dict[str, Group]:
    """Return the groups of a table of `rows.yaml` by their names."""
    groups = yaml.safe_load(DECLARATIONS.read_text())[table]
    return {
        name: Group(
            experiments={each: Experiment(**said) for each, said in group["programs"].items()},
            rows=[_declaration(what, dict(said)) for what, said in group["rows"].items()],
        )
        for name, group in groups.items()
    }


def _declaration(what: str, said: dict[str, Any]) -> Declaration:
    unit, judges = UNITS[said.pop("unit", "ms")], said.keys() - Declaration.__dataclass_fields__.keys()
    judge = judges.pop() if judges else ""
    return Declaration(what=what, unit=unit, judge=judge, limit=said.pop(judge, None), **said)


def judge(declaration: Declaration, measured: Mapping[str, tuple[list[Any], list[Any]]]) -> Row:
    """Return the row of what was measured."""
    ours, baseline = measured[declaration.value]
    if declaration.judge == "lacks":
        return _lacks(declaration, ours, baseline)
    if declaration.baseline:
        baseline, _ = measured[declaration.baseline]
    samples, other = Samples(ours, declaration.unit), Samples(baseline, declaration.unit)
    result, limit, ok = _JUDGES[declaration.judge](samples, other, declaration.limit or 0.0)
    return Row(
        what=declaration.what,
        ours=str(samples),
        baseline="-" if declaration.judge == "ceiling" else str(other),
        result=result,
        limit=limit if declaration.limit else "-",
        repetitions=len(ours),
        ok=ok if declaration.limit else None,
    )


def _ratio(ours: Samples, baseline: Samples, limit: float) -> tuple[str, str, bool]:
    ratio = ours.median / baseline.median
    return f"{ratio:.2f} x", f"{limit:.2f} x", ratio <= limit


def _difference(ours: Samples, baseline: Samples, limit: float) -> tuple[str, str, bool]:
    """Judge the median difference between the two of a pair."""
    difference, unit = ours.minus(baseline), ours.unit
    middle, low, high = (unit.write(value) for value in (difference.median, *difference.confidence))
    interval = f"95 %: {low.removesuffix(unit.name).strip()} to {high.removesuffix(unit.name).strip()}"
    return f"{middle} ({interval})", f"{limit:g} {unit.name}", difference.median * unit.scale <= limit


def _ceiling(ours: Samples, baseline: Samples, limit: float) -> tuple[str, str, bool]:
    median = ours.median * ours.unit.scale
    return f"{median / limit:.0%} of the limit", f"{limit:g} {ours.unit.name}", median <= limit


_JUDGES: Final[Mapping[str, Callable[[Samples, Samples, float], tuple[str, str, bool]]]] = {
    "ratio": _ratio,
    "difference": _difference,
    "ceiling": _ceiling,
}


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
