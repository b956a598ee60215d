"""The exponents of the table of growth, from costs whose growth is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._experiments import Series
from benchmarks._rows import Declaration, judge_growth
from benchmarks._samples import UNITS, Fit, fit_power, rounded

SIZES = (8, 40, 200, 1_000, 5_000, 20_000, 100_000)


@given(st.floats(0, 3), st.floats(1e-6, 1e6))
def test_a_power_law_has_its_exponent_whatever_its_unit(exponent: float, factor: float) -> None:
    fit = fit_power(SIZES, [factor * size**exponent for size in SIZES])
    assert fit.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.spread == pytest.approx(1)


def test_what_is_paid_once_does_not_hide_growth() -> None:
    fit = fit_power(SIZES, [1_000 + size for size in SIZES])
    assert 0.8 < fit.exponent < 1
    assert fit_power(SIZES, [1_000_000, 90_000, 5_000, *SIZES[3:]]).exponent == pytest.approx(1)


def test_sorting_is_told_from_comparing_all_with_all() -> None:
    sorting, pairs = (fit_power(SIZES, costs).exponent for costs in (n_log_n(), [size**2 for size in SIZES]))
    assert 1 < sorting < 1.15 < 1.9 < pairs


def n_log_n() -> list[float]:
    return [size * math.log(size) for size in SIZES]


def test_the_spread_is_that_of_the_farthest_point() -> None:
    assert fit_power((1, 2, 4, 8, 16), [1, 1, 1, 2, 1]).spread == pytest.approx(2 ** (2 / 3))


@pytest.mark.parametrize(("sizes", "costs"), [((1, 2, 3, 4), (1, 2, 3, 4)), ((1, 2, 3, 4, 5), (1, 2, 0, 4, 5))])
def test_too_few_sizes_or_no_cost_are_an_error(sizes: tuple[int, ...], costs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="five or more sizes and costs above 0"):
        fit_power(sizes, costs)


@pytest.mark.parametrize(
    ("expected", "exponent", "ok"),
    [
        ("constant", 0.09, True),
        ("constant", 0.11, False),
        ("linear", 1.14, True),
        ("linear", 1.16, False),
        ("linear", 0.1, True),
    ],
)
def test_a_row_says_whether_the_cost_grows_as_expected(expected: str, exponent: float, ok: bool) -> None:
    costs = [0.002 * size**exponent for size in SIZES]
    declaration = Declaration(what="planning", value="plan.seconds", unit=UNITS["ms"], judge="growth", limit=expected)
    series = Series(of="ranks", sizes=SIZES, values=costs, repetitions=1)
    row = judge_growth(declaration, {"plan.seconds": series})
    assert row.ok is ok
    assert row.what == "planning: 7 sizes, 8 to 100,000 ranks"
    assert row.result == f"{exponent:.2f} (within 0%)"
    assert row.limit == ("constant" if expected == "constant" else "linear or less")
    assert row.baseline == f"{rounded(costs[0] * 1e3)} ms"


def test_a_fit_reads_as_exponent_and_spread() -> None:
    assert str(Fit(1.046, 1.034)) == "1.05 (within 3%)"
