"""Naming a run or sweep: what people write, read into one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from flyte_wandb_hookspecs import quote_segment

from ..._errors import DownloadError
from ..._place import Place
from ...links._pages import find_pages

Kind = Literal["run", "sweep"]

_KINDS: Final[dict[str, Kind]] = {"runs": "run", "sweeps": "sweep"}
"""The segment before the id in W&B's addresses, and the kind that it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A run or a sweep of W&B.

    Attributes:
        id: W&B's id of it.
        project: Its project; None leaves it, like the entity and the host, to W&B's own configuration.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.
        kind: Which of the two it is.

    >>> Reference(id="r1", project="vision", entity="team").path
    'team/vision/r1'
    """

    id: str
    project: str | None = None
    entity: str | None = None
    host: str | None = None
    kind: Kind = "run"

    @property
    def place(self) -> Place:
        """Server, entity and project."""
        return Place(project=self.project, entity=self.entity, host=self.host)

    @property
    def path(self) -> str:
        """Entity, project and id in W&B's order, without those that are not known."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def page(self) -> str:
        """Its page, or the best page above where entity or project is not known. Asks no server."""
        pages = find_pages(self.place)
        return f"{pages.project}/{self.kind}s/{quote_segment(self.id)}" if pages.project else pages.best

    def __str__(self) -> str:
        return f"the {self.kind} {self.path} ({self.page})"


def read_reference(text: str, kind: Kind = "run") -> Reference:
    """Read a reference: an id, ``project/id``, ``entity/project/id``, or the address of a page.

    Args:
        text: The text.
        kind: The kind where the text does not say it.

    Raises:
        DownloadError: It has another form.

    >>> read_reference("https://wandb.example.com/team/vision/sweeps/s1")
    Reference(id='s1', project='vision', entity='team', host='https://wandb.example.com', kind='sweep')
    """
    try:
        address = urlsplit(text)
    except ValueError as error:  # such as of a bracket that nothing closes
        raise _unreadable_error(text, kind) from error
    if address.scheme in ("http", "https"):
        segments = [unquote(part) for part in address.path.split("/") if part]
        return _read_page_address(text, f"{address.scheme}://{address.netloc}", segments)
    *above, name = text.strip("/ ").split("/")
    # W&B's client takes "entity/project/runs/id" as well.
    if len(above) == 3 and above[2] in _KINDS:
        kind = _KINDS[above.pop()]
    if not name or not all(above) or len(above) > 2:
        raise _unreadable_error(text, kind)
    entity, project = (None, None, *above)[-2:]
    return Reference(id=name, project=project, entity=entity, kind=kind)


def _read_page_address(text: str, server: str, segments: list[str]) -> Reference:
    # From 2 on, for entity and project stand before: either may itself be called "runs".
    positions = [position for position, segment in enumerate(segments[:-1]) if segment in _KINDS and position >= 2]
    if not positions:
        raise _unreadable_error(text, "run")
    # A server may have a path of its own before the entity, as forge.coreweave.com/wandb does.
    *server_path, entity, project = segments[: positions[0]]
    kind_segment, name = segments[positions[0] : positions[0] + 2]
    host = "/".join((server, *server_path))
    return Reference(id=name, project=project, entity=entity, host=host, kind=_KINDS[kind_segment])


def _unreadable_error(text: str, kind: Kind) -> DownloadError:
    return DownloadError(
        f"{text!r} is not a {kind} of W&B; write its id, ENTITY/PROJECT/ID, or the address of its page, such as "
        f"https://wandb.example.com/ENTITY/PROJECT/{kind}s/ID"
    )
