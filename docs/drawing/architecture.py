"""The picture of the architecture: from what is known to the plan, and from the plan to what uses it."""

from __future__ import annotations

from typing import Final

from .shapes import arrow, box, labelled, picture, text

_KNOWN: Final = (
    ("decorator", "the task's own settings"),
    ("Flyte's context", "wandb_config, parent run"),
    ("environment", "launcher, rank, node"),
)
_ASKED: Final = ("locate_rank", "choose_initializer", "compute_run_id", "compute_group")
_DOORS: Final = (
    ("running task", "opens and finishes the run"),
    ("link", "where the run will be, before it exists"),
    ("preview", "every rank, and who decided"),
)
_TITLE: Final = "From settings to a plan, and from the plan to runs, links and previews"
_DESCRIBED: Final = (
    "The decorator, Flyte's context and the environment make a request. The hooks locate_rank, choose_initializer, "
    "compute_run_id and compute_group, answered by plugins and last by the built-in strategies, turn it into a plan. "
    "The running task, the link and the preview use that one plan. Only the running task touches W&B."
)


def architecture() -> str:
    """Return the picture."""
    shapes = [*_known(20, 20), *_request(252, 20), *_pipeline(384, 20), *_plan(616, 20), *_doors(748, 20)]
    return picture(1000, 250, title=_TITLE, described=_DESCRIBED, shapes=shapes)


def _known(x: float, y: float) -> list[str]:
    made = [text(x, y + 14, "what is known", "muted")]
    for number, (name, what) in enumerate(_KNOWN):
        made += _card(x, y + 26 + number * 62, 190, name, what)
    return [*made, arrow(x + 192, y + 105, x + 230, y + 105)]


def _request(x: float, y: float) -> list[str]:
    return [
        *_tall(x, y, "Request", ("settings", "topology", "parent", "names")),
        arrow(x + 92, y + 105, x + 130, y + 105),
    ]


def _pipeline(x: float, y: float) -> list[str]:
    made = [text(x, y + 14, "hooks: the first answer counts", "muted"), box(x, y + 26, 190, 176, "node")]
    for number, hook in enumerate(_ASKED):
        made.append(labelled(x + 12, y + 36 + number * 32, 166, 26, hook, "pale purple", word_kind="mono"))
    made.append(text(x + 95, y + 180, "plugins, by name;", "muted", middle=True))
    made.append(text(x + 95, y + 195, "built-ins last", "muted", middle=True))
    return [*made, arrow(x + 192, y + 105, x + 230, y + 105)]


def _plan(x: float, y: float) -> list[str]:
    return [
        *_tall(x, y, "Plan", ("part", "role", "run id", "group", "authors")),
        arrow(x + 92, y + 105, x + 130, y + 105),
    ]


def _doors(x: float, y: float) -> list[str]:
    made = [text(x, y + 14, "what uses it", "muted")]
    for number, (name, what) in enumerate(_DOORS):
        made += _card(x, y + 26 + number * 62, 232, name, what)
    return made


def _card(x: float, y: float, width: float, name: str, what: str) -> list[str]:
    return [
        box(x, y, width, 52, "node"),
        text(x + 10, y + 21, name, "title"),
        text(x + 10, y + 39, what, "muted small"),
    ]


def _tall(x: float, y: float, name: str, fields: tuple[str, ...]) -> list[str]:
    lines = [text(x + 12, y + 96 + 17 * number, field, "muted") for number, field in enumerate(fields)]
    return [box(x, y + 46, 90, 136, "pale blue"), text(x + 12, y + 72, name, "title"), *lines]
