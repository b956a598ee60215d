"""Posting JSON without ever delaying or failing who posts."""

from __future__ import annotations

import atexit
import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ._organisation import WEBHOOK_VARIABLE

_LOG = logging.getLogger("flyte_wandb_org_naming")
_THREAD: Final = "post to the webhook"

POST_SECONDS: Final = 2.0
"""How long the webhook may take to answer."""

EXIT_SECONDS: Final = 3.0
"""How long the end of the process waits for posts. A container's process ends soon after its task."""


def post(address: str, told: Mapping[str, object], *, timeout: float = POST_SECONDS) -> threading.Thread:
    """Start to post `told` and return at once. A failure is logged as a warning.

    Args:
        address: An http or https address.
        told: What to post, as JSON.
        timeout: Seconds that each step (connecting, sending, the answer) may take.

    Returns:
        The thread that posts.
    """
    thread = threading.Thread(target=_post, args=(address, told, timeout), name=_THREAD, daemon=True)
    thread.start()
    return thread


def _post(address: str, told: Mapping[str, object], timeout: float) -> None:
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            raise OSError("it is no http or https address")
        headers = {"Content-Type": "application/json"}
        request = Request(address, data=json.dumps(told).encode(), headers=headers, method="POST")
        urlopen(request, timeout=timeout).close()
    except Exception as error:
        # Whoever knows the address of a webhook can post there, and errors that are no OSError repeat it.
        reason = error if isinstance(error, OSError) else type(error).__name__
        remedy = "repair the webhook, or unset the variable"
        _LOG.warning("the webhook in %s was not told of %s: %s; %s", WEBHOOK_VARIABLE, told, reason, remedy)


@atexit.register
def _wait_for_posts() -> None:
    """Give posts under way a last moment: a daemon thread ends with its process."""
    until = time.monotonic() + EXIT_SECONDS
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(max(0.0, until - time.monotonic()))
