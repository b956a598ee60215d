"""A metric over the steps as a static SVG: no script, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Final

from ._html import Html, tag
from ._numbers import labels, number, place, ticks
from ._series import Point, Series

WIDTH: Final = 340
HEIGHT: Final = 150
_TOP: Final = 8
_RIGHT: Final = 10
_BOTTOM: Final = 20
_CHARACTER: Final = 5.6
"""Width of a digit in the size of the axes' labels."""

_MOST_TIPS: Final = 24
_LARGEST: Final = sys.float_info.max
_LEAST_LEFT: Final = 32.0
_MOST_LEFT: Final = 100.0


class _Frame:
    """From steps and values to places in the picture."""

    def __init__(self, series: Series) -> None:
        self.first, self.last = series.steps
        self.low, self.high = _widened(series.low, series.high)
        self.values = ticks(self.low, self.high)
        self.value_labels = labels(self.values)
        self.left = min(_MOST_LEFT, max(_LEAST_LEFT, 12 + _CHARACTER * max(len(label) for label in self.value_labels)))
        self.right, self.bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(self, step: float) -> float:
        return round(self.left + (self.right - self.left) * place(step, self.first, self.last), 1)

    def y(self, value: float) -> float:
        return round(self.bottom - (self.bottom - _TOP) * place(value, self.low, self.high), 1)


def plot(name: str, series: Series) -> Html:
    """Return the picture of a metric that has a finite value.

    Args:
        name: The metric's name, for those who cannot see the picture.
        series: Its values.
    """
    lines = list(series.lines())
    frame = _Frame(series)
    said = f"{name}: {number(series.count)} values, from {number(series.low)} to {number(series.high)}"
    parts = (*_grid(frame), *(_drawn(frame, line) for line in lines), *_tips(frame, list(chain(*lines))))
    view = {"viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    return tag("svg", *parts, role="img", aria_label=said, **view)


def _widened(low: float, high: float) -> tuple[float, float]:
    """Give a constant some room, so that its line is in the middle."""
    room = abs(low) / 2 or 1.0
    return (low, high) if high > low else (max(low - room, -_LARGEST), min(high + room, _LARGEST))


def _grid(frame: _Frame) -> Iterator[Html]:
    for value, label in zip(frame.values, frame.value_labels, strict=True):
        y = frame.y(value)
        yield tag("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid")
        yield tag("text", label, x=frame.left - 5, y=y + 3.5, text_anchor="end")
    yield tag("text", "step", x=frame.left - 8, y=HEIGHT - 6, text_anchor="end")
    steps = [step for step in ticks(frame.first, frame.last) if step == int(step)]
    for step, label in zip(steps, labels(steps), strict=True):
        x = frame.x(step)
        near = "end" if frame.right - x < 12 else "middle"
        yield tag("line", x1=x, x2=x, y1=frame.bottom, y2=frame.bottom + 3, class_="tick")
        yield tag("text", label, x=x if near == "middle" else frame.right, y=HEIGHT - 6, text_anchor=near)


def _drawn(frame: _Frame, line: list[Point]) -> Html:
    if len(line) == 1:
        ((step, value),) = line
        return tag("circle", cx=frame.x(step), cy=frame.y(value), r=2.5, class_="dot")
    points = " ".join(f"{frame.x(step):g},{frame.y(value):g}" for step, value in line)
    return tag("polyline", points=points, class_="line")


def _tips(frame: _Frame, points: list[Point]) -> Iterator[Html]:
    """Yield stripes over the picture, each of which says what is there when the mouse points at it."""
    inner = frame.right - frame.left
    width = inner / min(_MOST_TIPS, len(points))
    stripes: dict[int, list[Point]] = {}
    for point in points:
        stripe = int(min(frame.x(point[0]) - frame.left, inner - 1) / width)
        stripes.setdefault(stripe, []).append(point)
    for stripe, inside in stripes.items():
        box = {"x": round(frame.left + stripe * width, 1), "y": _TOP, "width": round(width, 1)}
        yield tag("rect", tag("title", _said(inside)), class_="tip", height=frame.bottom - _TOP, **box)


def _said(points: list[Point]) -> str:
    values = [value for _, value in points]
    low, high = number(min(values)), number(max(values))
    first, last = number(points[0][0]), number(points[-1][0])
    steps = f"step {first}" if first == last else f"steps {first} to {last}"
    return f"{steps}: {low}" if low == high else f"{steps}: {low} to {high}"


def unplotted() -> Html:
    """Return what stands in the place of the picture of a metric that has no finite value."""
    return tag("p", "No finite value.", class_="empty")
