"""The list of installed packages, which W&B keeps with each run as ``requirements.txt``: read once for all runs.

W&B reads the metadata of every installed distribution for every run: three quarters of the time of `wandb.init` where
there are 90 of them (wandb 0.31), and more in an image for training. The answer is the same for all runs of a process.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import wandb

    from ._opening import Opening

_LOG: Final = logging.getLogger("flyte_wandb")

SETTING: Final = "x_save_requirements"
"""Whether W&B reads the list by itself, and keeps it. It does not matter to W&B's service, which writes the file."""

_METADATA: Final = (".dist-info", ".egg-info")
"""How the folder ends that an installed package has for its metadata; Python looks for nothing else."""

_Folders = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """One reading of all packages: when each folder had changed last, what was installed there, and W&B's request."""

    folders: _Folders
    installed: tuple[object, ...]
    request: Any


class PackageList:
    """The packages of this process, read again only where something was installed or removed since."""

    def __init__(self) -> None:
        self._read: _Reading | None = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """Be free to read: at first, and in a forked child, because its parent may have been reading."""
        self._lock = threading.Lock()  # runs that are opened at the same time wait for one reading

    def get_request(self) -> Any:
        """Return the request with which W&B's client sends what is installed now."""
        with self._lock:
            # Before the reading: what is installed while it goes on is read with the next run.
            folders = _look_at_folders()
            if self._read is None or self._read.folders != folders:
                self._read = self._read_anew(folders)
            return self._read.request

    def _read_anew(self, folders: _Folders) -> _Reading:
        """Read what is installed in the folders, of which one has changed: often only a task's own files are new."""
        installed, before = _list_installed(folders), self._read
        unchanged = before is not None and before.installed == installed
        request = before.request if before and unchanged else _build_request(_read_packages())
        return _Reading(folders=folders, installed=installed, request=request)

    def read_ahead(self) -> None:
        """Begin to read in a thread where nothing is read yet: the first opening waits for a server meanwhile."""
        if self._read is None:
            threading.Thread(target=self._try_to_read, name="flyte-wandb-packages", daemon=True).start()

    def _try_to_read(self) -> None:
        with suppress(Exception):  # it is raised again where the list is handed over, and logged there
            self.get_request()


def _read_packages() -> list[Any]:
    """Return the packages by W&B's own reading, begun again where Python's finders change under it.

    W&B puts a finder before the others when its first run is opened; a reading under way asks one of them twice then.
    """
    from wandb.util import working_set

    while True:
        finders, packages = list(sys.meta_path), []
        for package in working_set():
            if sys.meta_path != finders:
                break
            packages.append(package)
        else:
            return packages


def _build_request(packages: list[Any]) -> Any:
    """Return the request that W&B's client makes of the packages. To make it takes longer than to send it."""
    from wandb.sdk.interface import interface

    requests: list[Any] = []
    catches: Any = SimpleNamespace(_publish_python_packages=requests.append)
    interface.InterfaceBase.publish_python_packages(catches, packages)
    return requests[0]


_LIBRARY: Final = os.path.dirname(os.__file__)
_OF_PYTHON: Final = frozenset(
    {
        _LIBRARY,
        os.path.join(_LIBRARY, "lib-dynload"),
        os.path.join(os.path.dirname(_LIBRARY), f"python{sys.version_info.major}{sys.version_info.minor}.zip"),
    }
)
"""The places of Python's own library, into which nobody installs: a look at each costs every run."""


def _look_at_folders() -> _Folders:
    """Return where Python finds packages, and when each place has changed last.

    Installing and removing a package adds or removes a folder there. Python's own `importlib` goes by the same.
    """
    return tuple([(entry, _changed_at(entry or os.curdir)) for entry in sys.path if entry not in _OF_PYTHON])


def _list_installed(folders: _Folders) -> tuple[object, ...]:
    """Return the folders of metadata in each place; of an archive, when it has changed."""
    found: list[object] = []
    for entry, changed in folders:
        try:
            names = [name for name in os.listdir(entry or os.curdir) if name.lower().endswith(_METADATA)]
        except OSError:
            names = [str(changed)] if changed else []
        found += [(entry, *sorted(names))] if names else []
    return tuple(found)


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


PACKAGES: Final = PackageList()
os.register_at_fork(after_in_child=PACKAGES.renew_lock)


def hands_packages_over(client: wandb.Settings, opening: Opening) -> bool:
    """Whether flyte-wandb passes the list to W&B: no setting says whether W&B keeps it, and W&B can take it.

    Args:
        client: The client's own settings.
        opening: The run that is opened.
    """
    decided = (client.model_fields_set, opening.arguments.get("settings", {}), opening.settings)
    return not any(SETTING in names for names in decided) and _takes_packages()


@functools.cache
def _takes_packages() -> bool:
    import wandb
    from wandb.sdk.interface import interface

    ways = ("publish_python_packages", "_publish_python_packages")
    return SETTING in wandb.Settings.model_fields and all(hasattr(interface.InterfaceBase, way) for way in ways)


def hand_packages_over(run: wandb.Run) -> None:
    """Have W&B keep the list with a run that was opened without. What goes wrong is logged: the run is open."""
    interface: Any = run._interface
    if interface is None:  # a disabled run
        return
    try:
        interface._publish_python_packages(PACKAGES.get_request())
    except Exception:
        _LOG.exception("the run %s has no list of the installed packages", run.id)
