"""Uploading offline runs with W&B's own command, each time in a separate process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .._place import Place, api_url
from ._configuration import find_api_key, own_settings

_LOOK: Final = 0.2
"""Seconds between two looks whether an upload is to be stopped."""

_KEPT: Final = (
    "WANDB_API_KEY",
    "WANDB_CACHE_DIR",
    "WANDB_CONFIG_DIR",
    "WANDB_CREDENTIALS_FILE",
    "WANDB_HTTPS_PROXY",
    "WANDB_HTTP_PROXY",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_INSECURE_DISABLE_SSL",
    "WANDB__EXTRA_HTTP_HEADERS",
)
"""What of W&B's variables is about the way to a server. The others are about runs of this process."""

_PATIENCE: Final = {
    f"WANDB__{part}_RETRY_{name}": value
    for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for name, value in (("MAX", "8"), ("WAIT_MIN_SECONDS", "1"), ("WAIT_MAX_SECONDS", "8"))
}
"""W&B's own, under which a sync does not end for a long time after its server has, is made for training."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class UploadError(Exception):
    """W&B's command did not upload everything; the message is its output."""


def api_address(where: Place) -> str:
    """Return the address of the API at a place."""
    return api_url(where.host) if where.host else str(own_settings().base_url)


def own_wandb_dir() -> str:
    """Return the folder in which W&B keeps the runs of processes that start here."""
    return str(own_settings().wandb_dir)


def upload_folders(
    folders: Sequence[Path], where: Place, work: Path, check: Callable[[], None], *, seconds: float
) -> None:
    """Upload the folders of offline runs. Those of one run go one after the other, in the order of their start. Blocks.

    Args:
        folders: The folders.
        where: The place; its project and entity override those in the logs.
        work: A folder for W&B's files.
        check: Called repeatedly; raises to stop the upload.
        seconds: How long it may take at most; W&B's command has no limit.

    Raises:
        UploadError: Something was not uploaded, or not in time.
    """
    overrides = {"--project": where.project, "--entity": where.entity}
    named = [text for name, value in overrides.items() if value for text in (name, value)]
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", *named, *map(str, folders)]
    process = subprocess.Popen(
        command,
        cwd=work,
        env=_upload_environment(os.environ, api_address(where), work),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    told = _errors_in_output(_wait_for_output(process, check, seconds))
    if process.returncode or told:
        raise UploadError(told or f"`wandb sync` ended with exit code {process.returncode}")


def _wait_for_output(process: subprocess.Popen[str], check: Callable[[], None], seconds: float) -> str:
    """Return what a process prints until its end. To stop it, stop W&B's service below it, too."""
    ends = time.monotonic() + seconds
    try:
        while True:
            try:
                return process.communicate(timeout=_LOOK)[0]
            except subprocess.TimeoutExpired:
                check()
            if time.monotonic() > ends:
                raise UploadError(f"`wandb sync` did not end within {seconds:,.0f} s, and was stopped")
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _errors_in_output(output: str) -> str:
    """Return the errors in what W&B's command prints."""
    lines = _COLOURS.sub("", output).splitlines()
    errors = [line.partition("ERROR ")[2] for line in lines if line.startswith("wandb: ERROR ")]
    errors += [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return "; ".join(dict.fromkeys(errors))


def _upload_environment(environ: Mapping[str, str], server: str, work: Path) -> dict[str, str]:
    own = {name: value for name, value in environ.items() if not name.startswith("WANDB_") or name in _KEPT}
    key, _ = find_api_key(server)
    login: dict[str, Any] = {"WANDB_API_KEY": key} if key else {}
    told = {"WANDB_BASE_URL": server, "WANDB_DIR": str(work), "WANDB_MODE": "online", "PYTHONIOENCODING": "utf-8"}
    return {**own, **_PATIENCE, **login, **told, "WANDB_SILENT": "false", "WANDB_QUIET": "false"}
