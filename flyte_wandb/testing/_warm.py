"""Processes from a warm interpreter: one fork server has imported what all of them import, and forks each.

A forked process equals a fresh one, apart from its imports: it has its own id, environment, folder, arguments,
streams, signals, exit code. If that would not hold, `start_warm` returns None, and the caller starts a cold one:

- outside Linux, and where `COLD_VARIABLE` is set;
- where a variable differs that something has read while it was imported, such as ``LOG_LEVEL``, or that an
  interpreter or a C library reads when it starts, such as ``PYTHONHASHSEED`` or ``COVERAGE_PROCESS_START``;
- where an imported module would be found elsewhere on the import path of the process, or anything that Python
  itself imports at its start.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

COLD_VARIABLE: Final = "FLYTE_WANDB_COLD_CONTAINERS"
"""If this variable is set, every container is started cold."""

Streams = tuple[int, int, int]
"""Standard input, output and errors."""

# Read by an interpreter, by coverage from a .pth file or by C libraries, where nobody sees it.
_READ_AT_START: Final = (
    *("PYTHON", "COVERAGE_", "COV_CORE_", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "TZ"),
    *("FSSPEC_", "TQDM_", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "GRPC_", "TORCH_CPP_"),
)
_HANDLED: Final = frozenset({"HOME", "PYTHONPATH"})
"""Set anew in each process."""

_NAME: Final = "flyte_wandb_fork_server"
"""Under which a forked process finds the server that has forked it, among the modules."""

_PROGRAM: Final = Path(__file__).with_name("_fork_server.py")
_CHILDREN: Final = Path(__file__).with_name("_fork_children.py")


class WarmProcess:
    """A forked process, as `subprocess.Popen` shows one.

    Attributes:
        pid: Its id, its own until the process was waited for.
        args: What a cold one would have been started with.
        returncode: Its exit code, negative for a signal, or None while nobody has seen its end.
        stdout: The end of a pipe from which `communicate` reads its output, or None.
    """

    def __init__(self, connection: socket.socket, args: Sequence[str]) -> None:
        self.args = args
        self.stdout: TextIOWrapper | None = None
        self.returncode: int | None = None
        self._connection = connection
        self._answers = connection.makefile("r")
        self._lock = threading.Lock()
        self.pid = self._next_answer()

    def poll(self) -> int | None:
        """Return the exit code, or None where the process runs."""
        with self._lock:
            if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
                self.returncode = self._next_answer()
                self._answers.close()
                self._connection.close()  # now the server lets go of the process id
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: It has not ended within `timeout` seconds.
        """
        if self.returncode is None:
            select.select([self._connection], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Read the output to its end and wait for that of the process.

        Raises:
            subprocess.TimeoutExpired: They have not ended within `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            text = "" if self.stdout is None else self._read_all(self.stdout, end)
            self.wait(None if end is None else max(end - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired as error:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0, error.output) from None
        return text, None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read_all(self, stream: TextIOWrapper, end: float | None) -> str:
        parts: list[bytes] = []
        while True:
            left = None if end is None else max(end - time.monotonic(), 0.0)
            if not select.select([stream], [], [], left)[0]:
                raise subprocess.TimeoutExpired(self.args, 0.0, b"".join(parts))
            part = os.read(stream.fileno(), 65536)
            if not part:
                stream.close()
                text = b"".join(parts).decode(stream.encoding, stream.errors or "strict")
                return text.replace("\r\n", "\n").replace("\r", "\n")
            parts.append(part)

    def _next_answer(self) -> int:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the fork server has ended before its process: {' '.join(self.args[:4])}")
        return int(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Imports:
    """What a fork server has imported, as it says itself.

    Attributes:
        problem: Why forks would not do, or None.
        path: Where it found them: the part of the import path that is the same whatever ``PYTHONPATH`` says.
        modules: Their names, without those of their parts.
        variables: The environment variables that were read meanwhile.
        added: Those that the interpreter or an import has set, such as ``LC_CTYPE``.
    """

    problem: str | None
    path: list[str]
    modules: list[str]
    variables: list[str]
    added: dict[str, str]

    def hold_with(self, folders: Iterable[str]) -> bool:
        """Whether a fresh interpreter that looks into some folders first would find the same modules."""
        return not any(self._are_hidden_by(folder) for folder in folders if folder not in self.path)

    def _are_hidden_by(self, folder: str) -> bool:
        names = {*self.modules, "sitecustomize", "usercustomize"}  # Python imports these two at its start
        try:
            entries = [entry.partition(".") for entry in os.listdir(folder)]
        except OSError:
            return os.path.exists(folder)  # such as a zip file
        packages = (name for name, dot, _ in entries if not dot and name in names)
        return any(name in names for name, dot, _ in entries if dot) or any(
            os.path.exists(os.path.join(folder, name, "__init__.py")) for name in packages
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What is to be started.

    Attributes:
        words: Arguments of the interpreter: ``-c``, ``-m`` or a file, and what follows.
        folder: The working directory.
        environ: All of its environment.
        warm_children: Whether what it starts with the same interpreter is forked as well.
    """

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    warm_children: bool

    @property
    def import_path(self) -> list[str]:
        """The import path of a fresh interpreter as far as it depends on the start, its first folder by its name."""
        kind = self.words[0]
        first = self.folder if kind in ("-c", "-m") else Path(self.folder, kind).resolve().parent
        variable = self.environ.get("PYTHONPATH", "").split(os.pathsep)
        return [str(first), *(os.path.join(self.folder, entry) for entry in variable if entry)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ForkServer:
    """A process that has imported some modules, and forks others.

    Attributes:
        control: The socket on which it is asked for processes.
        environ: Its environment.
        imports: What it has imported.
        process: The process, where it was started here.
    """

    control: socket.socket
    environ: Mapping[str, str]
    imports: _Imports
    process: subprocess.Popen[bytes] | None

    def fork(self, start: _Start, streams: Streams) -> socket.socket | None:
        """Fork a process and return the connection to it, or None where a fresh interpreter would be another."""
        if self.imports.problem or not self._fits(start):
            return None
        first, *path = dict.fromkeys([*start.import_path, *self.imports.path])
        request = {
            "words": list(start.words),
            "cwd": str(start.folder),
            "environ": {**self.imports.added, **start.environ},
            "path": ["" if start.words[0] == "-c" else first, *path],
            "warm_children": start.warm_children,
            "cold_variables": _READ_AT_START,
        }
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self.control, [b"\n"], [theirs.fileno(), *streams])
            ours.sendall(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            return None  # somebody has killed the server
        return ours

    def close(self) -> None:
        """End the server. Processes that it has forked keep running."""
        self.control.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def _fits(self, start: _Start) -> bool:
        here, there = {**self.environ, **self.imports.added}, {**self.imports.added, **start.environ}
        differing = {name for name, _ in here.items() ^ there.items()} - _HANDLED
        read = differing if "*" in self.imports.variables else differing.intersection(self.imports.variables)
        if read or any(name.startswith(_READ_AT_START) for name in differing):
            return False
        return self.imports.hold_with(start.import_path)


_BROKEN_OFF: Final = _Imports(problem="it has broken off", path=[], modules=[], variables=[], added={})
_servers: dict[tuple[str, ...], _ForkServer] = {}
_lock = threading.Lock()
os.register_at_fork(after_in_child=_servers.clear)  # the servers are those of the process that started them


def start_warm(
    words: Sequence[str],
    *,
    modules: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    streams: Streams,
    warm_children: bool = False,
) -> WarmProcess | None:
    """Start a process that need not import some modules, or return None where it has to be a cold one.

    Args:
        words: Arguments of the interpreter: ``-c`` and a program, ``-m`` and a module, or a file; and what follows.
        modules: What the fork server imports; what cannot be imported is left out.
        folder: An existing folder, in which the process starts.
        environ: All of its environment.
        streams: Its standard input, output and errors. An output for a terminal makes a cold process.
        warm_children: Whether what it starts with the same interpreter is forked as well.
    """
    if not hasattr(os, "pidfd_open") or COLD_VARIABLE in os.environ or any(map(os.isatty, streams[1:])):
        return None
    start = _Start(words=words, folder=folder, environ=environ, warm_children=warm_children)
    connection = _server(tuple(modules), start).fork(start, streams)
    return None if connection is None else WarmProcess(connection, [sys.executable, *words])


def _server(modules: tuple[str, ...], start: _Start) -> _ForkServer:
    with _lock:
        if modules not in _servers:
            _servers[modules] = _server_above(modules) or _start_server(modules, start)
            atexit.register(_servers[modules].close)
        return _servers[modules]


def _server_above(modules: tuple[str, ...]) -> _ForkServer | None:
    """Return the server that has forked this process, where it imports these modules."""
    above: Any = sys.modules.get(_NAME)
    if above is None or above.asked["modules"] != [*modules]:
        return None
    control = socket.socket(fileno=os.dup(above.asked["door"]))
    return _ForkServer(control=control, environ=above.asked["environ"], imports=_Imports(**above.imports), process=None)


def _start_server(modules: tuple[str, ...], start: _Start) -> _ForkServer:
    environ = {"PATH": start.environ.get("PATH", os.defpath)}
    ours, theirs = socket.socketpair()
    asked = {"control": theirs.fileno(), "door": ours.fileno(), "client": os.getpid(), "name": _NAME}
    asked |= {"modules": modules, "environ": environ, "children": str(_CHILDREN)}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.read_text(), json.dumps(asked)],
            cwd="/",
            env=environ,
            pass_fds=[theirs.fileno(), ours.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    with ours.makefile("r") as lines:
        line = lines.readline()
    imports = _Imports(**json.loads(line)) if line else _BROKEN_OFF
    return _ForkServer(control=ours, environ=environ, imports=imports, process=process)
