"""Write docs/pictures: the plans of all run modes and rank scopes, as `flyte_wandb.preview` finds them.

Run it as ``python -m docs.make_pictures``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import flyte

from flyte_wandb import Preview, preview, wandb_config, wandb_init

from .drawing.architecture import architecture
from .drawing.badges import badges
from .drawing.plans import LEGEND_WIDTH, NARROW_LEGEND_WIDTH, WIDTH, Panel, legend
from .drawing.shapes import picture

NARROW: Final = "-narrow"
"""The end of the name of a picture that shows the same as another one, for phones."""

FOLDER: Final = Path(__file__).with_name("pictures")
RUN_MODES: Final = ("auto", "shared", "new")
RANK_SCOPES: Final = ("global", "worker")
SHAPES: Final = {(1, 2): "1 node of 2 ranks", (2, 2): "2 nodes of 2 ranks"}

_MARGIN, _SPACE, _LEGEND = 20, 28, 34


@wandb_init(id="{base}")
@flyte.TaskEnvironment(name="pictures").task
def _task() -> None: ...


def pictures() -> dict[str, str]:
    """Return every picture by the name of its file."""
    made = {f"{mode}.svg": _of_mode(mode) for mode in RUN_MODES}
    first = {"first-screen.svg": _first_screen(), f"first-screen{NARROW}.svg": _first_screen(narrow=True)}
    return {**first, "architecture.svg": architecture(), "badges.svg": badges(), **made}


def planned(run_mode: str, rank_scope: str, nodes: int, per_node: int) -> Preview:
    """Return the plan of a task of so many ranks, whose base is ``{base}``."""
    context = wandb_config(run_mode=run_mode, rank_scope=rank_scope)
    return preview(_task, context=context, nodes=nodes, per_node=per_node)


def _first_screen(*, narrow: bool = False) -> str:
    panels = [Panel(title=f'run_mode="{mode}"', found=planned(mode, "global", 2, 2)) for mode in RUN_MODES]
    rows = [[panel] for panel in panels] if narrow else [panels]
    return _grid(rows, title="Which ranks of a job on 2 nodes with 2 ranks each open which W&B runs")


def _of_mode(mode: str) -> str:
    rows = [
        [Panel(title=f'rank_scope="{scope}"', found=planned(mode, scope, *shape)) for scope in RANK_SCOPES]
        for shape in SHAPES
    ]
    return _grid(rows, title=f"The runs of run_mode {mode!r}, on {' and on '.join(SHAPES.values())}")


def _grid(rows: list[list[Panel]], *, title: str) -> str:
    narrow = len(rows[0]) == 1
    width = 2 * _MARGIN + len(rows[0]) * (WIDTH + _SPACE) - _SPACE + 6
    shapes: list[str] = []
    top: float = _MARGIN
    for row in rows:
        for column, panel in enumerate(row):
            shapes += panel.shapes(_MARGIN + column * (WIDTH + _SPACE), top)
        top += max(panel.height for panel in row) + _SPACE
    shapes += legend((width - (NARROW_LEGEND_WIDTH if narrow else LEGEND_WIDTH)) / 2, top - 8, narrow=narrow)
    described = " ".join(panel.described() for row in rows for panel in row)
    height = top - _SPACE + _LEGEND * (1 + narrow / 2) + _MARGIN
    return picture(width, height, title=title, described=described, shapes=shapes)


def write() -> None:
    """Write the files."""
    for name, drawn in pictures().items():
        (FOLDER / name).write_text(drawn)


if __name__ == "__main__":
    write()
