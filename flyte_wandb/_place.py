"""Where a run or sweep lives: server, entity and project; and the two addresses of a server.

A W&B server has an address for people and one for its API. The two differ only for W&B's own clouds (wandb's `urls.py`
and `util.api_to_app_url`); a dedicated or self-hosted server has one address for both.
"""

from __future__ import annotations

import re
import reprlib
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_SHORT: Final = reprlib.Repr()
"""Writes a value into a message. A host may come from elsewhere, and be a megabyte."""
_SHORT.maxstring = 200


class Place(NamedTuple):
    """Server, entity and project of a run; None leaves each to the client's own configuration."""

    project: str | None
    entity: str | None
    host: str | None


# The second one is wandb's default from 0.31 on (`sdk/lib/urls.py`).
_API: Final = {
    "https://wandb.ai": "https://api.wandb.ai",
    "https://forge.coreweave.com/wandb": "https://api.forge.coreweave.com",
}
_USERINFO: Final = re.compile(r"(//)[^/?#\s]*@")
_APP: Final = {api: app for app, api in _API.items()}


def app_url(host: str) -> str:
    """Return where people open `host` in a browser, without a trailing slash.

    >>> app_url("wandb.ai/"), app_url("https://api.wandb.ai"), app_url("http://localhost:8080")
    ('https://wandb.ai', 'https://wandb.ai', 'http://localhost:8080')
    """
    address = without_userinfo(_with_scheme(host))
    return _APP.get(address, address)


def without_userinfo(address: str) -> str:
    """Return an address without the user and password in it: what people and other machines are shown.

    >>> without_userinfo("https://me:secret@wandb.example.com/team"), without_userinfo("https://wandb.ai")
    ('https://wandb.example.com/team', 'https://wandb.ai')
    """
    return _USERINFO.sub(r"\1", address)


def api_url(host: str) -> str:
    """Return where the API of `host` listens, without a trailing slash.

    >>> api_url("https://wandb.ai"), api_url("https://wandb.example.com/")
    ('https://api.wandb.ai', 'https://wandb.example.com')
    """
    address = _with_scheme(host)
    return _API.get(address, address)


def host_fault(host: object) -> str | None:
    """Return why `host` is not the address of a server, or None where it is one.

    >>> host_fault("ftp://wandb.ai")
    "a host must be an http or https address such as https://wandb.ai, not 'ftp://wandb.ai'"
    """
    if isinstance(host, str) and without_userinfo(host) != host:
        address = without_userinfo(host)
        return f"a host must not contain a user or key; write {_SHORT.repr(address)}, and pass the key as WANDB_API_KEY"
    if isinstance(host, str) and not any(letter.isspace() for letter in host) and _is_web_address(_with_scheme(host)):
        return None
    return f"a host must be an http or https address such as https://wandb.ai, not {_SHORT.repr(host)}"


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Reading the port is what refuses one that is none, and so "javascript:alert(1)", which has no scheme of ours.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as of a bracket that nothing closes
        return False


def _with_scheme(host: str) -> str:
    # People write "wandb.ai"; W&B's client wants a scheme.
    return (host if "://" in host else f"https://{host}").rstrip("/")
