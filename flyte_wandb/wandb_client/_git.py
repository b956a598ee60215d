"""What W&B keeps of the git checkout with each run: asked once, and again when the checkout changes.

W&B starts four processes of git for every run, or two where there is no checkout: a third of the time of a later run
(wandb 0.31, 2 cores). For a run that names root, commit and remote it starts none.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import wandb

    from ._opening import Opening

_LOG: Final = logging.getLogger("flyte_wandb")

_DECIDED_BY: Final = frozenset(
    {"disable_git", "git_root", "git_commit", "git_remote", "git_remote_url", "x_disable_machine_info"}
)
"""Fields of `wandb.Settings` that say what W&B is to keep of a checkout."""

_NO_CHECKOUT: Final = {"disable_git": True}

_CHANGING: Final = ("HEAD", "config", "packed-refs", os.path.join("reftable", "tables.list"))
"""Files of a checkout, of which one is replaced when its commit or its remote changes, or the file of the branch."""

_BRANCH: Final = b"ref: "
"""How `HEAD` begins where it names a branch, and not a commit."""


class _Answer(NamedTuple):
    """What git has said of a checkout, and how its files were before."""

    state: object
    settings: dict[str, Any]


class GitAnswers:
    """The answers of git in this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing: at first, and in a forked child, where the lock of its parent may be taken."""
        self._lock = threading.Lock()  # runs that are opened at the same time wait for one answer
        self._last: _Answer | None = None

    def find_settings(self, root: str) -> Mapping[str, Any]:
        """Return the fields of `wandb.Settings` that save W&B from asking git; none where it has to.

        Args:
            root: The folder in which W&B looks first, its setting `root_dir`. If that is in no checkout, W&B looks in
                the folder in which the process works.
        """
        at_root = _find_git_folder(os.path.abspath(root))
        place = at_root or _find_git_folder(os.getcwd())
        if place is None:
            return _NO_CHECKOUT
        state = _read_state(place)
        if state is None:
            return {}
        with self._lock:
            # The state was read before: what changes while git is asked has it asked again for the next run.
            if self._last is None or self._last.state != (state, at_root):
                answer = _ask_git(os.path.dirname(place), with_root=at_root is not None)
                self._last = _Answer(state=(state, at_root), settings=answer)
            return self._last.settings


GIT: Final = GitAnswers()
os.register_at_fork(after_in_child=GIT.forget)


def find_git_settings(opening: Opening, client: wandb.Settings, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of `wandb.Settings` that save W&B from asking git for a run.

    Args:
        opening: The run that is opened.
        client: The client's own settings.
        settings: The fields that are set for the run.
    """
    if not _DECIDED_BY.isdisjoint({*client.model_fields_set, *settings}):
        return {}
    try:
        return GIT.find_settings(opening.arguments.get("dir") or settings.get("root_dir", client.root_dir))
    except Exception:  # such as a broken checkout, of which W&B keeps nothing
        _LOG.debug("W&B asks git for the run %s by itself", opening.run_id, exc_info=True)
        return {}


def _find_git_folder(folder: str) -> str | None:
    """Return what makes a folder or one above it a checkout, or None. Git finds none without it."""
    while not os.path.lexists(place := os.path.join(folder, ".git")):
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return None
    return place


def _read_state(place: str) -> object:
    """Return what differs once commit or remote have changed.

    None in a second work tree and in a submodule: their ``.git`` is a file that leads elsewhere.
    """
    try:
        with open(os.path.join(place, "HEAD"), "rb") as file:
            head = file.read()
    except OSError:
        return None
    branch = (os.fsdecode(head[len(_BRANCH) :].strip()),) if head.startswith(_BRANCH) else ()
    return place, head, *_look_at_files(place, (*_CHANGING, *branch))


def _look_at_files(place: str, names: tuple[str, ...]) -> Iterator[tuple[int, int] | None]:
    for name in names:
        try:
            status = os.stat(os.path.join(place, name))
        except OSError:
            yield None
        else:
            yield status.st_ino, status.st_mtime_ns  # git writes a new file and puts it in place of the old one


def _ask_git(folder: str, *, with_root: bool) -> dict[str, Any]:
    """Return what W&B's client finds in a folder. It keeps the root only of a checkout that it has found first."""
    from wandb.sdk.lib import gitlib

    checkout = gitlib.GitRepo(root=folder)
    found = {
        "git_root": checkout.root_dir if with_root else None,
        "git_commit": checkout.last_commit,
        "git_remote_url": checkout.remote_url,
    }
    return {name: value for name, value in found.items() if value is not None}
