"""Reading whole runs from a server: what it knows of them, every row of their history, and where their files are.

W&B's own objects do the asking. They are made here rather than by `Api.run` and `Api.sweep`, which keep what they
return, so a running run would not be up to date.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from .._errors import DownloadError
from .._place import Place, api_url, without_userinfo
from ._agent_room import use_own_client
from ._api import connect_api
from ._artifacts import RemoteArtifact
from ._configuration import find_api_key, own_settings
from ._remote_file import RemoteFile

if TYPE_CHECKING:
    import wandb

_ROWS_PER_PAGE: Final = 1000
"""Rows for which W&B's client asks at a time by itself."""
_MOST_PER_PAGE: Final = 10_000
"""Rows in the largest page: W&B's client asks for a range of steps, which may be dense or thin."""

_FILES_PER_PAGE: Final = 100
"""Files of one answer: W&B's client asks for 50, which doubles the requests of a run with many."""
_ARTIFACTS_PER_PAGE: Final = 100
"""What W&B's client asks for by itself."""
_MOST_AT_ONCE: Final = 10
"""Requests at a time that W&B's service makes for one of its clients."""

_MOST_STEPS: Final = 2**31 - 1
"""More than any run has, and what fits into a GraphQL `Int`: all rows come as one page."""
_MOST_METRICS: Final = 10_000
"""Rows of system metrics; W&B samples those of a run that has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """With which login, headers and proxies files are fetched.

    Attributes:
        server: The API's address; the key is sent to no other.
        login: Value of the header ``Authorization``, or None.
        headers: More headers, which W&B sends with all requests.
        proxies: Proxies by scheme, where W&B's settings have some; else the environment decides.
        verify: Whether certificates are checked.
    """

    server: str
    login: str | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    proxies: Mapping[str, str]
    verify: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How often and for how long a server is asked.

    Attributes:
        retries: How often W&B's client repeats a request that failed, 0 or more.
        first_wait: Seconds before it does so; they double from time to time.
        longest_wait: Seconds at most.
        patience: Seconds until it gives up.
        at_once: Requests at a time, 1 or more.
    """

    retries: int
    first_wait: float
    longest_wait: float
    patience: float
    at_once: int


class UnknownToServerError(Exception):
    """The server does not know a run or sweep, or does not show it to this user."""


class Reader:
    """W&B's API at one place. Every call blocks.

    Args:
        where: The place.
        bounds: How often and for how long it is asked.

    Raises:
        DownloadError: There is no key.
        Exception: The server does not know the key, or nobody answers.
    """

    def __init__(self, where: Place, bounds: Bounds) -> None:
        _check_key(where)
        self._api = connect_api(where)
        settings = self._settings.model_copy()
        settings.x_graphql_retry_max = max(bounds.retries, 1)
        settings.x_graphql_retry_wait_min_seconds = bounds.first_wait
        settings.x_graphql_retry_wait_max_seconds = bounds.longest_wait
        # More than `_MOST_AT_ONCE` requests at a time need several connections to W&B's service.
        self._services = [_open_service(settings, bounds.patience) for _ in range(0, bounds.at_once, _MOST_AT_ONCE)]
        self._api._service_api = self._services[0]

    @property
    def access(self) -> Access:
        """With which login, headers and proxies files are fetched here."""
        settings = self._settings
        token = self._api._service_api.access_token()
        proxies = {"http": settings.http_proxy, "https": settings.https_proxy}
        return Access(
            server=settings.base_url,
            login=f"Bearer {token}" if token else _basic_auth(settings.api_key) if settings.api_key else None,
            headers=dict(settings.x_extra_http_headers or {}),
            proxies={scheme: proxy for scheme, proxy in proxies.items() if proxy},
            verify=not settings.insecure_disable_ssl,
        )

    def run(self, run_id: str) -> RemoteRun:
        """Return a run.

        Raises:
            UnknownToServerError: There is none.
            Exception: The server refused it, or did not answer.
        """
        from wandb.apis.public.runs import Run, RunNotFoundError

        try:
            return RemoteRun(Run(self._api._service_api, *self._project, run_id, lazy=False))
        except RunNotFoundError as error:
            raise UnknownToServerError(str(error)) from error

    def runs_of_sweep(self, sweep_id: str) -> list[RemoteRun]:
        """Return the runs of a sweep, in the order in which they were made.

        Raises:
            UnknownToServerError: There is no such sweep.
            Exception: The server refused it, or did not answer.
        """
        from wandb.apis.public.sweeps import Sweep

        # `Api.runs` answers with no runs for a sweep that does not exist.
        try:
            Sweep(self._api._service_api, *self._project, sweep_id)
        except ValueError as error:
            raise UnknownToServerError(str(error)) from error
        runs = self._api.runs("/".join(self._project), filters={"sweep": sweep_id}, order="+created_at", lazy=False)
        return [
            RemoteRun(_run_through_service(service, run)) for service, run in zip(itertools.cycle(self._services), runs)
        ]

    def artifact_digests(self, kind: str, name: str) -> set[str]:
        """Return the digests of the versions of an artifact that are there; none where there is no such artifact.

        Args:
            kind: Its type.
            name: Its name, without a version.
        """
        path = "/".join((*self._project, name))
        if not self._api.artifact_collection_exists(path, kind):
            return set()
        return {str(one.digest) for one in self._api.artifacts(kind, path) if one.state == "COMMITTED"}

    @property
    def _project(self) -> tuple[str, str]:
        """The entity and the project, both as the server knows them."""
        settings = self._api.settings
        return settings["entity"] or str(self._api.default_entity), settings["project"]

    @property
    def _settings(self) -> wandb.Settings:
        settings: wandb.Settings = self._api._service_api._settings
        return settings


class RemoteRun:
    """A run as its server knows it. Several threads may ask at once; every call blocks.

    Args:
        run: W&B's own object.
    """

    def __init__(self, run: Any) -> None:
        self._run = run

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self._run.id)

    @property
    def url(self) -> str:
        """Its page."""
        return without_userinfo(str(self._run.url))

    @property
    def state(self) -> str:
        """W&B's state of it."""
        return str(self._run.state)

    @property
    def ended(self) -> bool:
        """Whether nobody writes to it any more."""
        return self.state not in ("running", "pending", "preempting")

    @property
    def told_its_end(self) -> bool:
        """Whether a writer has told its end. W&B takes one of which it hears nothing for crashed."""
        return self.ended and self._run.state != "crashed"

    @property
    def lines(self) -> int | None:
        """How many rows of history the server counts, or None where it does not say."""
        count = getattr(self._run, "history_line_count", None)
        return None if count is None else int(count)

    @property
    def stamp(self) -> dict[str, Any]:
        """What changes when the run does."""
        heartbeat = getattr(self._run, "heartbeat_at", None)
        return {"state": self._run.state, "lines": self.lines, "heartbeat": heartbeat}

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to know of a run beside its config, summary, history and files."""
        # W&B's object has what the server has answered as attributes; an older server answers less.
        run = self._run
        return {
            "id": run.id,
            "name": run.name,
            "entity": run.entity,
            "project": run.project,
            "url": self.url,
            "state": run.state,
            "group": getattr(run, "group", None),
            "job_type": getattr(run, "job_type", None),
            "tags": list(getattr(run, "tags", None) or ()),
            "notes": getattr(run, "notes", None),
            "sweep": getattr(run, "sweep_name", None),
            "commit": getattr(run, "commit", None),
            "user": getattr(getattr(run, "user", None), "username", None),
            "created_at": getattr(run, "created_at", None),
            "heartbeat_at": getattr(run, "heartbeat_at", None),
        }

    @property
    def config(self) -> dict[str, Any]:
        """The config as values, without W&B's own."""
        return dict(self._run.config)

    @property
    def summary(self) -> dict[str, Any]:
        """The whole summary."""
        return dict(self._run.summary_metrics)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every row of the history, page by page. W&B's cache may hold the rows of an earlier time."""
        return iter(self._run.scan_history(page_size=choose_page_size(self.lines, self._steps), use_cache=False))

    def row_times(self) -> Iterator[float]:
        """Yield the time of every row that has one, as W&B's client gave it."""
        for row in self.rows():
            if isinstance(time := row.get("_timestamp"), float | int):
                yield float(time)

    def _steps(self) -> int:
        keys = getattr(self._run, "history_keys", None) or {}
        last = keys.get("lastStep")
        return 1 + int(self._run.lastHistoryStep if last is None else last)

    def system_metrics(self) -> list[dict[str, Any]]:
        """Return the system metrics, sampled where there are very many."""
        rows: list[dict[str, Any]] = self._run.history(stream="system", samples=_MOST_METRICS, pandas=False)
        return rows

    def files(self, names: Sequence[str] = ()) -> list[RemoteFile]:
        """Return the run's files.

        Args:
            names: Only these; all where empty.
        """
        return [self._file(file) for file in self._run.files(names=list(names), per_page=_FILES_PER_PAGE)]

    def logged_artifacts(self) -> list[RemoteArtifact]:
        """Return the versions of artifacts that the run has logged."""
        return self._artifacts(self._run.logged_artifacts(per_page=_ARTIFACTS_PER_PAGE))

    def used_artifacts(self) -> list[RemoteArtifact]:
        """Return the versions of artifacts that are inputs of the run."""
        return self._artifacts(self._run.used_artifacts(per_page=_ARTIFACTS_PER_PAGE))

    def _artifacts(self, found: Iterable[Any]) -> list[RemoteArtifact]:
        # W&B's client has None for one whose project its user cannot see.
        artifacts = [RemoteArtifact(one, self._run._service_api) for one in found if one is not None]
        return list({artifact.name: artifact for artifact in artifacts}.values())

    def _file(self, file: Any) -> RemoteFile:
        size = getattr(file, "size_bytes", None)
        return RemoteFile(
            name=file.name,
            url=urljoin(f"{self._run._service_api.base_url}/", file.url),
            size=None if size is None else int(size),
            md5=getattr(file, "md5", None),
            updated=getattr(file, "updated_at", None),
        )


def choose_page_size(lines: int | None, steps: Callable[[], int]) -> int:
    """Return how many steps of a history to ask for at a time, so that a page has about a thousand rows.

    Rows may be thin: a step may count examples. No page holds more than ten thousand rows, however they lie.

    Args:
        lines: Rows of the history, as far as the server says.
        steps: Asks the server for the number of steps.

    >>> choose_page_size(5000, lambda: 5000), choose_page_size(20_000, lambda: 20_000_000)
    (1000, 10000)
    """
    if lines is None:
        return _ROWS_PER_PAGE
    if lines <= _ROWS_PER_PAGE:
        return _MOST_STEPS
    span = max(_ROWS_PER_PAGE * steps() // lines, _ROWS_PER_PAGE)
    return min(span, _MOST_PER_PAGE if lines > _MOST_PER_PAGE else _MOST_STEPS)


def _check_key(where: Place) -> None:
    """Refuse a server for which there is no key: W&B's client would ask the terminal for one."""
    server = api_url(where.host) if where.host else own_settings().base_url
    if own_settings().identity_token_file or find_api_key(server)[0]:
        return
    server = without_userinfo(server)
    raise DownloadError(f"there is no API key for {server}; run `wandb login --host {server}`, or set WANDB_API_KEY")


def _run_through_service(service: Any, run: Any) -> Any:
    """Return a run that is read through one of several connections, so that many runs are read at a time."""
    run._service_api = service
    return run


def _basic_auth(key: str) -> str:
    return "Basic " + base64.b64encode(f"api:{key}".encode()).decode()


def _open_service(settings: wandb.Settings, timeout: float) -> Any:
    from wandb.apis.public.service_api import ServiceApi

    service = ServiceApi(settings, timeout=timeout)
    # Now, for it logs in when it is first used, and an agent's client may be the current one by then.
    with use_own_client():
        service._get_api_session()
    return service
