"""The bytes of files over HTTP: whole, verified, and fetched again where something went wrong.

W&B's own `File.download` does not do. It writes half files under their final names, and takes a body that is too short
for a whole one. It gives up at once where a body is cut off. It cannot be stopped, and its patience cannot be set: by
its version it is nineteen seconds, also where a file needs longer, or twenty tries.
"""

from __future__ import annotations

import base64
import contextlib
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
from ...wandb_client._reader import Access
from ...wandb_client._remote_file import RemoteFile
from .._md5 import new_md5
from .._workers import Stop
from ._limits import DownloadLimits

Attempt = Callable[[RemoteFile], None]
Refresh = Callable[[RemoteFile], RemoteFile]

_CHUNK: Final = 1 << 20
"""Bytes between two looks whether the download was stopped."""

_TIMEOUTS: Final = (10.0, 30.0)
"""Seconds to connect, and seconds that a connected server may be silent."""

_TEMPORARY: Final = (408, 425, 429)
"""Timeout, too early, too many requests: besides 5xx, the answers that say "later"."""


_MOST_REFRESHES: Final = 2
"""A file may change while it is fetched; one that changes again and again is still being written."""


class TransferError(Exception):
    """A file was not transferred.

    Args:
        message: What happened.
        temporary: Whether the same request may work later. If not, the server's list of files may be outdated.
        retry_after: Seconds to wait until then, where the server says so.
    """

    def __init__(self, message: str, *, temporary: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.temporary, self.retry_after = temporary, retry_after


class Transfers:
    """Connections to the servers that keep the files of runs. Threads share them.

    Args:
        access: Address, login, headers and proxies of W&B's server.
        limits: Requests at a time, and the patience.
        stop: Ends transfers and waits.
    """

    def __init__(self, access: Access, limits: DownloadLimits, stop: Stop) -> None:
        self._access, self._limits, self._stop = access, limits, stop
        self._session = requests.Session()
        # Without cookies a session keeps nothing that threads could spoil for each other.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.proxies = dict(access.proxies)
        # Uncompressed, because size and md5 of a file are those of its bytes.
        self._session.headers.update({**access.headers, "Accept-Encoding": "identity"})
        # No `max_retries`: urllib3 sleeps between its retries, which a stop cannot end, and does not retry a body.
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=limits.at_once))

    def __enter__(self) -> Transfers:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def transfer_with_retries(self, attempt: Attempt, file: RemoteFile, refresh: Refresh) -> RemoteFile:
        """Make an attempt, and more of them while they fail and the patience lasts.

        Args:
            attempt: Transfers the file.
            file: The file as the server listed it.
            refresh: Lists the file anew: it may have changed, and its address may have expired.

        Returns:
            The file that was transferred, as the server listed it.

        Raises:
            TransferError: The last attempt's.
            StoppedError: The download was stopped.
        """
        end, waits, refreshes = time.monotonic() + self._limits.patience, self._limits.waits(), 0
        while True:
            try:
                attempt(file)
                return file
            except TransferError as error:
                failure = error
            # Spread by a quarter: many ranks that failed at one moment shall not come back at one moment.
            wait = max(next(waits, math.inf) * random.uniform(0.75, 1.25), failure.retry_after)
            if time.monotonic() + wait > end or (refreshes == _MOST_REFRESHES and not failure.temporary):
                raise failure
            if failure.temporary:
                self._stop.wait(wait)
            else:
                file, refreshes = refresh(file), refreshes + 1

    def receive_file(
        self, file: RemoteFile, into: IO[bytes], seen: Callable[[int], None], *, most: int | None = None
    ) -> None:
        """Write the bytes of a file, from the start, and verify size and md5.

        Args:
            file: The file as the server listed it.
            into: The file to write.
            seen: Called with the number of bytes that arrived; with a negative number where they did not count.
            most: Bytes at most, where the server does not say how many there are; None for the bound of the limits.

        Raises:
            TransferError: They did not arrive, or are not those.
            StoppedError: The download was stopped; nothing is written afterwards.
        """
        into.seek(0)
        into.truncate()
        size, digest = 0, new_md5()
        limit = (most or self._limits.unannounced) if file.size is None else file.size
        try:
            with self._open_url(file.url) as response:
                for chunk in _read_chunks(response):
                    self._stop.check()
                    size += len(chunk)
                    seen(len(chunk))
                    if size > limit:
                        break  # a server that announces ten bytes, or none, and never ends fills no disk
                    into.write(chunk)
                    digest.update(chunk)
            if size > limit:
                announced = "no size was" if file.size is None else f"{file.size:,} were"
                # Not temporary: the file has grown since it was listed, or the list is wrong.
                raise TransferError(f"{size:,} bytes arrived where {announced} announced", temporary=False)
            _verify_file(response, file, size, digest.digest())
        except TransferError:
            seen(-size)
            raise

    @contextmanager
    def _open_url(self, url: str) -> Iterator[requests.Response]:
        if not url:
            raise TransferError("the server gave no address for it", temporary=False)
        # Files may lie in a bucket, behind a signed address: the key is for W&B's own server alone.
        own = urlsplit(url)[:2] == urlsplit(self._access.server)[:2]
        try:
            response = self._session.get(
                url,
                auth=self._add_login if own else _keep_without_login,
                stream=True,
                timeout=_TIMEOUTS,
                verify=self._access.verify,
            )
        except OSError as error:  # the errors of requests are OSErrors, too
            # The library's message has the whole address, which may be signed for whoever has it.
            raise TransferError(f"{urlsplit(url).netloc} did not answer ({type(error).__name__})") from error
        with response:
            if not response.ok:
                raise _refusal_error(response)
            yield response

    def _add_login(self, request: Any) -> Any:
        request.headers.update({"Authorization": self._access.login} if self._access.login else {})
        return request


def read_md5(file: RemoteFile) -> bytes | None:
    """Return the md5 that the server lists for a file, in hex or in base64; None where it is none.

    >>> read_md5(RemoteFile(name="a", url="", size=0, md5="1B2M2Y8AsgTpgAmY7PhCfg==")).hex()
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    for decode in (bytes.fromhex, _from_base64):
        with contextlib.suppress(ValueError):
            digest = decode(file.md5 or "")
            if len(digest) == new_md5().digest_size:
                return digest
    return None


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _keep_without_login(request: Any) -> Any:
    # With `auth=None`, requests looks for a login in the netrc file, and W&B's key is there.
    return request


def _read_chunks(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(_CHUNK)
    except OSError as error:
        raise TransferError(f"the connection broke: {one_line(error)}") from error


def _refusal_error(response: requests.Response) -> TransferError:
    temporary = response.status_code >= 500 or response.status_code in _TEMPORARY
    message = f"the server answered {response.status_code} {response.reason}".rstrip()
    return TransferError(message, temporary=temporary, retry_after=_read_retry_after(response))


def _read_retry_after(response: requests.Response) -> float:
    """Return the seconds that ``Retry-After`` asks for, as a number or as a date; 0 where it is neither."""
    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0.0


def _verify_file(response: requests.Response, file: RemoteFile, size: int, md5: bytes) -> None:
    # With urllib3 1.26, requests takes a body that ends early for a whole one.
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and "Content-Encoding" not in response.headers and size < int(announced):
        raise TransferError(f"the connection broke after {size:,} of {int(announced):,} bytes")
    # Not temporary: the file has changed since it was listed, or the list is wrong.
    if file.size is not None and size != file.size:
        raise TransferError(f"{size:,} bytes arrived where {file.size:,} were announced", temporary=False)
    if file.md5 and md5 != read_md5(file):
        raise TransferError(f"the bytes that arrived do not have the md5 {file.md5}", temporary=False)
