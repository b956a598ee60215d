"""A metric over the steps as a static SVG: no script, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Final

from ._html import Html, html_tag
from ._numbers import choose_ticks, format_number, format_ticks, position_between
from ._series import Point, Series

# In units of the picture, which the page stretches to its column.
WIDTH: Final = 340
HEIGHT: Final = 150
_TOP: Final = 8
_RIGHT: Final = 10
_BOTTOM: Final = 20
_CHARACTER: Final = 5.6
"""Width of a digit in the size of the axes' labels. Only a browser could measure the labels themselves."""

_MOST_TIPS: Final = 24
"""Stripes that show values under the mouse; narrower ones cannot be hit."""

_LARGEST: Final = sys.float_info.max
_LEAST_LEFT: Final = 32.0
"""Room for the labels of the vertical axis, so that plots above each other begin at one line."""

_MOST_LEFT: Final = 100.0
"""A label that needs more is cut; the line keeps two thirds of the picture."""


class _Frame:
    """The axes of a plot: they turn steps and values into places in the picture."""

    def __init__(self, series: Series) -> None:
        self.first, self.last = series.steps
        self.low, self.high = _widen_range(series.low, series.high)
        self.values = choose_ticks(self.low, self.high)
        self.value_labels = format_ticks(self.values)
        self.left = min(_MOST_LEFT, max(_LEAST_LEFT, 12 + _CHARACTER * max(len(label) for label in self.value_labels)))
        self.right, self.bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    # One decimal is a tenth of a pixel, and keeps a picture of 300 points small.
    def x(self, step: float) -> float:
        return round(self.left + (self.right - self.left) * position_between(step, self.first, self.last), 1)

    def y(self, value: float) -> float:
        return round(self.bottom - (self.bottom - _TOP) * position_between(value, self.low, self.high), 1)


def draw_plot(name: str, series: Series) -> Html:
    """Return the picture of a metric that has a finite value.

    Args:
        name: The metric's name, for screen readers.
        series: Its values.
    """
    lines = list(series.lines())
    frame = _Frame(series)
    low, high = format_number(series.low), format_number(series.high)
    description = f"{name}: {format_number(series.count)} values, from {low} to {high}"
    parts = (*_draw_grid(frame), *(_draw_line(frame, line) for line in lines), *_draw_tips(frame, list(chain(*lines))))
    view = {"viewBox": f"0 0 {WIDTH} {HEIGHT}"}  # SVG knows it in this spelling only
    return html_tag("svg", *parts, role="img", aria_label=description, **view)


def _widen_range(low: float, high: float) -> tuple[float, float]:
    """Give a constant some room, so that its line is in the middle."""
    room = abs(low) / 2 or 1.0
    return (low, high) if high > low else (max(low - room, -_LARGEST), min(high + room, _LARGEST))


def _draw_grid(frame: _Frame) -> Iterator[Html]:
    for value, label in zip(frame.values, frame.value_labels, strict=True):
        y = frame.y(value)
        yield html_tag("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid")
        yield html_tag("text", label, x=frame.left - 5, y=y + 3.5, text_anchor="end")
    yield html_tag("text", "step", x=frame.left - 8, y=HEIGHT - 6, text_anchor="end")
    # Between two steps there is none, whatever the ticks of a short run are.
    steps = [step for step in choose_ticks(frame.first, frame.last) if step == int(step)]
    for step, label in zip(steps, format_ticks(steps), strict=True):
        x = frame.x(step)
        # In the middle below its tick, but for a last one that would stick out of the picture.
        anchor = "end" if frame.right - x < 12 else "middle"
        yield html_tag("line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 3, class_="tick")
        yield html_tag("text", label, x=x if anchor == "middle" else frame.right, y=HEIGHT - 6, text_anchor=anchor)


def _draw_line(frame: _Frame, line: list[Point]) -> Html:
    if len(line) == 1:
        ((step, value),) = line
        return html_tag("circle", cx=frame.x(step), cy=frame.y(value), r=2.5, class_="dot")
    points = " ".join(f"{frame.x(step):g},{frame.y(value):g}" for step, value in line)
    return html_tag("polyline", points=points, class_="line")


def _draw_tips(frame: _Frame, points: list[Point]) -> Iterator[Html]:
    """Yield stripes over the picture that show the values there when the mouse points at one."""
    inner = frame.right - frame.left
    width = inner / min(_MOST_TIPS, len(points))
    stripes: dict[int, list[Point]] = {}
    for point in points:
        stripe = int(min(frame.x(point[0]) - frame.left, inner - 1) / width)
        stripes.setdefault(stripe, []).append(point)
    for stripe, inside in stripes.items():
        box = {"x": round(frame.left + stripe * width, 1), "y": _TOP, "width": round(width, 1)}
        yield html_tag("rect", html_tag("title", _points_text(inside)), class_="tip", height=frame.bottom - _TOP, **box)


def _points_text(points: list[Point]) -> str:
    values = [value for _, value in points]
    low, high = format_number(min(values)), format_number(max(values))
    first, last = format_number(points[0][0]), format_number(points[-1][0])
    steps = f"step {first}" if first == last else f"steps {first} to {last}"
    return f"{steps}: {low}" if low == high else f"{steps}: {low} to {high}"


def draw_empty_plot() -> Html:
    """Return a text instead of the picture, for a metric without a finite value."""
    return html_tag("p", "No finite value.", class_="empty")
