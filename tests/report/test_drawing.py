"""Down-sampling, numbers, plots and HTML by themselves."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb.results.report._html import clean_text, html_tag
from flyte_wandb.results.report._numbers import choose_ticks, format_number, format_ticks, position_between
from flyte_wandb.results.report._plot import HEIGHT, WIDTH, draw_plot
from flyte_wandb.results.report._series import MOST_BUCKETS, Series
from flyte_wandb.results.report._tables import build_values

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def series_of(*values: float) -> Series:
    made = Series()
    for step, value in enumerate(values):
        made.add_point(step, value)
    return made


def kept(series: Series) -> list[tuple[float, float]]:
    return [point for line in series.lines() for point in line]


@given(st.lists(st.floats(), max_size=2000))
def test_down_sampling_keeps_the_extremes_and_counts_everything(values: list[float]) -> None:
    series = series_of(*values)
    finite = [value for value in values if math.isfinite(value)]
    points = kept(series)
    assert (series.count, series.holes) == (len(finite), len(values) - len(finite))
    assert len(points) <= 2 * MOST_BUCKETS
    assert all(values[int(step)] == value for step, value in points)
    assert [step for step, _ in points] == sorted(step for step, _ in points)
    if finite:
        assert (series.low, series.high) == (min(finite), max(finite))
        assert {min(finite), max(finite)} <= {value for _, value in points}


@pytest.mark.parametrize("at", [0, 1, 4_999, 7_777, 99_998, 99_999])
def test_one_spike_among_very_many_rows_stays(at: int) -> None:
    series = series_of(*(0.0 if step != at else 1.0 for step in range(100_000)))
    assert (at, 1.0) in kept(series)
    assert len(kept(series)) <= 2 * MOST_BUCKETS


def test_a_few_points_are_all_kept_and_cut_where_there_is_no_number() -> None:
    nan = math.nan
    assert list(series_of(1, 2, nan, nan, 3, math.inf, 4).lines()) == [[(0, 1), (1, 2)], [(4, 3)], [(6, 4)]]
    assert list(series_of(nan).lines()) == []


@given(FINITE, FINITE)
def test_ticks_are_few_and_lie_between_the_ends(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = choose_ticks(low, high)
    assert len(found) <= 7
    assert all(math.isfinite(value) for value in found)
    assert all(-0.01 <= position_between(value, low, high) <= 1.01 for value in found)
    assert len(format_ticks(found)) == len(found)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1234567.0, "1,234,567"),
        (1234567.891, "1,234,600"),
        (0.1 + 0.2, "0.3"),
        (-1.7e308, "-1.7e308"),
        (5e-324, "4.9407e-324"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (99999.96, "100,000"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert format_number(value) == text


def test_labels_that_would_be_the_same_are_written_in_full() -> None:
    assert len(set(format_ticks([1e9, 1e9 + 1, 1e9 + 2]))) == 3


def drawn(series: Series, name: str = "loss") -> ElementTree.Element:
    """Return the picture, which XML can read, with every number in it inside of the picture."""
    picture = ElementTree.fromstring(draw_plot(name, series))
    for element in picture.iter():
        for key in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            if key in element.attrib:
                assert -0.5 <= float(element.attrib[key]) <= (WIDTH if "x" in key else HEIGHT) + 0.5
        pairs = [pair.split(",") for pair in element.get("points", "").split()]
        assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in pairs)
    return picture


@given(st.lists(st.floats(), min_size=1, max_size=400).filter(lambda values: any(map(math.isfinite, values))))
def test_every_series_has_a_picture_that_lies_in_its_frame(values: list[float]) -> None:
    drawn(series_of(*values))


@pytest.mark.parametrize(
    "values", [(3.0,), (3.0, 3.0), (-1.7e308, 1.7e308), (-1.7e308,), (0.0, 5e-324), (1, 1 + 1e-15)]
)
def test_a_single_a_constant_and_a_huge_series_are_drawn(values: tuple[float, ...]) -> None:
    picture = drawn(series_of(*values))
    assert [element.tag for element in picture if element.get("class") in ("line", "dot")]


def test_a_picture_of_very_many_rows_is_small_and_has_tips() -> None:
    text = draw_plot("loss", series_of(*(math.sin(step) for step in range(50_000))))
    assert len(text) < 12_000
    assert text.count("<title>steps ") == 24


@given(st.text(st.characters()))
def test_whatever_a_name_holds_the_element_is_one_element(text: str) -> None:
    element = ElementTree.fromstring(html_tag("p", html_tag("b", text), text, title=text))
    assert [child.tag for child in element.iter()] == ["p", "b"]
    clean_text(text).encode()


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ('"a <b>"', "a &lt;b&gt;"),
        ('""', "&quot;&quot;"),
        ("0.1", "0.1"),
        ("NaN", "NaN"),
        ("true", "true"),
        ('{"a":1}', "{&quot;a&quot;:1}"),
        ("12345678901234567890", "12345678901234567890"),
        ("1" * 5000, "1" * 199 + "…"),
        ('"' + "x" * 1000 + '"', "x" * 199 + "…"),
        ("no json", "no json"),
        ("[" * 1500, "[" * 199 + "…"),
    ],
)
def test_a_value_is_readable_and_short(told: str, text: str) -> None:
    assert f"<td>{text}</td>" in build_values({"name": told})


def test_of_many_values_the_rest_is_counted() -> None:
    many: Any = {f"name-{number:03}": "1" for number in range(130)}
    shown = build_values(many)
    assert shown.count("<tr>") == 100
    assert "30 more are not shown." in shown
