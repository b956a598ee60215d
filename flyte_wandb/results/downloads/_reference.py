"""Which run or sweep is meant: as people write it, and as one record."""

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
"""What W&B's addresses say of each kind."""


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
        """Where it lives."""
        return Place(project=self.project, entity=self.entity, host=self.host)

    @property
    def path(self) -> str:
        """What is known of entity, project and id, in W&B's order."""
        return "/".join(part for part in (self.entity, self.project, self.id) if part)

    @property
    def page(self) -> str:
        """Its page, or where nobody knows the entity or the project, the best page above. Asks no server."""
        pages = find_pages(self.place)
        return f"{pages.project}/{self.kind}s/{quote_segment(self.id)}" if pages.project else pages.best

    def __str__(self) -> str:
        return f"the {self.kind} {self.path} ({self.page})"


def read_reference(text: str, kind: Kind = "run") -> Reference:
    """Read what somebody wrote: an id, ``project/id``, ``entity/project/id``, or the address of a page.

    Args:
        text: The text.
        kind: What it is where the text does not say it.

    Raises:
        DownloadError: It is none of these.

    >>> read_reference("https://wandb.example.com/team/vision/sweeps/s1")
    Reference(id='s1', project='vision', entity='team', host='https://wandb.example.com', kind='sweep')
    """
    address = urlsplit(text)
    if address.scheme in ("http", "https"):
        segments = [unquote(part) for part in address.path.split("/") if part]
        return _read_page_address(text, f"{address.scheme}://{address.netloc}", segments)
    *places, name = text.strip("/ ").split("/")
    if len(places) == 3 and places[2] in _KINDS:
        kind = _KINDS[places.pop()]
    if not name or not all(places) or len(places) > 2:
        raise _unreadable_error(text, kind)
    entity, project = (None, None, *places)[-2:]
    return Reference(id=name, project=project, entity=entity, kind=kind)


def _read_page_address(text: str, server: str, segments: list[str]) -> Reference:
    """Read the address of a page; W&B's own server has a path of its own before the entity."""
    found = [place for place, segment in enumerate(segments[:-1]) if segment in _KINDS and place >= 2]
    if not found:
        raise _unreadable_error(text, "run")
    *server_path, entity, project = segments[: found[0]]
    word, name = segments[found[0] : found[0] + 2]
    host = "/".join((server, *server_path))
    return Reference(id=name, project=project, entity=entity, host=host, kind=_KINDS[word])


def _unreadable_error(text: str, kind: Kind) -> DownloadError:
    return DownloadError(
        f"{text!r} names no {kind} of W&B; write its id, ENTITY/PROJECT/ID, or the address of its page, such as "
        f"https://wandb.example.com/ENTITY/PROJECT/{kind}s/ID"
    )
