"""The API key that `wandb login` has written to the netrc file, found where W&B's client finds it."""

from __future__ import annotations

import netrc
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .._logging import log_once, one_line
from .._place import without_userinfo

_FORMER_HOSTS: Final = {"api.forge.coreweave.com": "api.wandb.ai", "forge.coreweave.com": "api.wandb.ai"}
"""Where W&B's own cloud answered before wandb 0.31: a login of that time is still in the file, and still valid."""


def read_netrc_key(base_url: str) -> str | None:
    """Return the key for a server, or None where the netrc file has none. A file that cannot be read is a warning.

    The file is the one that NETRC names, else ``~/.netrc``, else ``~/_netrc``.
    """
    path = _netrc_path()
    try:
        return _find_password(netrc.netrc(path), base_url)
    except FileNotFoundError:
        return None
    except netrc.NetrcParseError as error:
        # Not what it says: it quotes the word that it stumbled over, which may be the key.
        reason = f"line {error.lineno} is malformed"
    except (OSError, ValueError) as error:
        reason = one_line(error)
    log_once(f"the netrc file {path} has no usable W&B login: {reason}; `wandb login` rewrites it")
    return None


def _find_password(logins: netrc.netrc, base_url: str) -> str | None:
    # With the port: `wandb login` writes the whole `host:port` as the name of the machine.
    machine = urlsplit(base_url).netloc
    login = logins.authenticators(machine) or logins.authenticators(_FORMER_HOSTS.get(machine, machine))
    if login and login[2] in (None, "", '""'):  # Python 3.10 reads the quotes of an empty text as its content
        raise ValueError(f"its entry for {without_userinfo(base_url)} has no password")
    return login[2] if login else None


def _netrc_path() -> Path:
    if path := os.environ.get("NETRC"):
        return Path(path).expanduser()
    unix, windows = Path("~/.netrc").expanduser(), Path("~/_netrc").expanduser()
    return windows if windows.exists() and not unix.exists() else unix
