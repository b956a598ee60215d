"""The bytes of files over HTTP: whole, verified, and asked for again where something went wrong.

W&B's own `File.download` writes half files under their final names, takes a body that is too short for whole, gives up
at once where a body is cut off, cannot be stopped, and cannot be told how long to try: by its version, nineteen seconds
also where a file needs longer, or twenty tries.
"""

from __future__ import annotations

import base64
import hashlib
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import IO, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from ..._logging import one_line
from ...wandb_client._reader import Access, RemoteFile
from .._workers import Stop
from ._limits import DownloadLimits

Attempt = Callable[[RemoteFile], None]
Ask = Callable[[RemoteFile], RemoteFile]

_CHUNK: Final = 1 << 20
_TIMEOUTS: Final = (10.0, 30.0)
"""Seconds until a server has to be there, and that it may be silent."""

_TEMPORARY: Final = (408, 425, 429)
_FAILURES: Final = (requests.RequestException, OSError)
_MOST_ASKED: Final = 2


class TransferError(Exception):
    """A file was not transferred.

    Args:
        said: What happened.
        temporary: Whether the same request may work later; where not, the server's list of files may be outdated.
        retry_after: Seconds to wait until then, where the server says so.
    """

    def __init__(self, said: str, *, temporary: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(said)
        self.temporary, self.retry_after = temporary, retry_after


class Transfers:
    """Connections to the servers that keep the files of runs.

    Args:
        access: How they are asked.
        tuning: Bounds.
        stop: Ends transfers and waits.
    """

    def __init__(self, access: Access, tuning: DownloadLimits, stop: Stop) -> None:
        self._access, self._tuning, self._stop = access, tuning, stop
        self._session = requests.Session()
        # Without cookies a session keeps nothing that threads could spoil for each other.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.proxies = dict(access.proxies)
        self._session.headers.update({**access.headers, "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=tuning.at_once))

    def __enter__(self) -> Transfers:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def transfer_with_retries(self, attempt: Attempt, file: RemoteFile, ask: Ask) -> RemoteFile:
        """Make an attempt, again and again where it fails, for as long as the patience says.

        Args:
            attempt: Transfers the file.
            file: What the server told of it.
            ask: Asks the server again: the file may have changed, and its address may have expired.

        Returns:
            What the server told of the file that was transferred.

        Raises:
            TransferError: The last attempt's.
            StoppedError: The download was stopped.
        """
        ends, waits, asked = time.monotonic() + self._tuning.patience, self._tuning.waits(), 0
        while True:
            try:
                attempt(file)
                return file
            except TransferError as error:
                failure = error
            wait = max(next(waits, math.inf) * random.uniform(0.75, 1.25), failure.retry_after)
            if time.monotonic() + wait > ends or (asked == _MOST_ASKED and not failure.temporary):
                raise failure
            if failure.temporary:
                self._stop.wait(wait)
            else:
                file, asked = ask(file), asked + 1

    def receive_file(self, file: RemoteFile, into: IO[bytes], seen: Callable[[int], None]) -> None:
        """Write the bytes of a file, from the start, and verify that they are those the server told of.

        Args:
            file: The file.
            into: Where to.
            seen: Is told the bytes as they come; a negative number takes back what did not count.

        Raises:
            TransferError: They did not arrive, or are not those.
            StoppedError: The download was stopped; nothing is written afterwards.
        """
        into.seek(0)
        into.truncate()
        size, digest = 0, hashlib.md5(usedforsecurity=False)
        try:
            with self._open_url(file.url) as answer:
                for chunk in _read_chunks(answer):
                    self._stop.check()
                    size += len(chunk)
                    seen(len(chunk))
                    if file.size is not None and size > file.size:
                        break  # a server that announces ten bytes and never ends fills no disk
                    into.write(chunk)
                    digest.update(chunk)
            _verify_file(answer, file, size, digest.digest())
        except TransferError:
            seen(-size)
            raise

    @contextmanager
    def _open_url(self, url: str) -> Iterator[requests.Response]:
        own = urlsplit(url)[:2] == urlsplit(self._access.server)[:2]
        try:
            answer = self._session.get(
                url,
                auth=self._add_login if own else _keep_without_login,
                stream=True,
                timeout=_TIMEOUTS,
                verify=self._access.verify,
            )
        except _FAILURES as error:
            # The library's message has the whole address, which may be signed for whoever has it.
            raise TransferError(f"{urlsplit(url).netloc} did not answer ({type(error).__name__})") from error
        with answer:
            if not answer.ok:
                raise _refusal_error(answer)
            yield answer

    def _add_login(self, request: Any) -> Any:
        request.headers.update({"Authorization": self._access.login} if self._access.login else {})
        return request


def has_md5(file: RemoteFile, md5: bytes) -> bool:
    """Whether this is the hash that the server told of a file, in either of its spellings."""
    return file.md5 in (md5.hex(), base64.b64encode(md5).decode())


def _keep_without_login(request: Any) -> Any:
    """Leave a request as it is; without it the library would look for a login in the netrc file."""
    return request


def _read_chunks(answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(_CHUNK)
    except _FAILURES as error:
        raise TransferError(f"the connection broke: {one_line(error)}") from error


def _refusal_error(answer: requests.Response) -> TransferError:
    temporary = answer.status_code >= 500 or answer.status_code in _TEMPORARY
    said = f"the server answered {answer.status_code} {answer.reason}".rstrip()
    return TransferError(said, temporary=temporary, retry_after=_seconds_to_wait(answer))


def _seconds_to_wait(answer: requests.Response) -> float:
    """Return what ``Retry-After`` asks for, which is a number of seconds or a date; 0 where it is neither."""
    try:
        return Retry().parse_retry_after(answer.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


def _verify_file(answer: requests.Response, file: RemoteFile, size: int, md5: bytes) -> None:
    announced = answer.headers.get("Content-Length", "")
    if announced.isdecimal() and "Content-Encoding" not in answer.headers and size < int(announced):
        raise TransferError(f"the connection broke after {size:,} of {int(announced):,} bytes")
    if file.size is not None and size != file.size:
        raise TransferError(f"{size:,} bytes arrived where {file.size:,} were announced", temporary=False)
    if file.md5 and not has_md5(file, md5):
        raise TransferError(f"the bytes that arrived do not have the md5 {file.md5}", temporary=False)
