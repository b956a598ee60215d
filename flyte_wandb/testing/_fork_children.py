"""Has what a warm process starts with its own interpreter come from warm memory as well, such as the ranks of Elastic.

A process that asks for it has a helper: a fork of the moment before its program starts, with all imports and nothing
else. If `subprocess` or `multiprocessing` would start the interpreter, they ask the helper to fork. The fork is a child
of the process, as a cold one would be: the helper forks twice, and the process is for that moment the one that orphans
get as their parent. Nothing imports this file: the fork server loads it by its path.
"""

from __future__ import annotations

import _posixsubprocess
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Request = dict[str, Any]

_MOST_FILES: Final = 200
_PR_SET_CHILD_SUBREAPER: Final = 36
_PUT_RIGHT: Final = frozenset({"HOME", "PYTHONUNBUFFERED", "OMP_NUM_THREADS"})
"""Variables that act on an interpreter or on torch as it starts. A forked process applies them afterwards."""
_UNBUFFERED: Final = "-u"
_NOT_USED: Final = (None, True, False, -1)
"""No other user, group or mask and nothing to run before the program; and whether vfork may be used."""


def start_helper(request: Request, imports: Mapping[str, Any]) -> Request:
    """Start the helper of this process, and return what to run: in what the helper forks, too.

    Args:
        request: What this process is to run. ``cold_variables`` are the beginnings of the names of variables that only
            a fresh interpreter reads.
        imports: What the fork server has imported.
    """
    ours, theirs = socket.socketpair()
    if not os.fork():
        ours.close()
        return _serve(theirs)
    theirs.close()
    helper = _Helper(ours, request, frozenset(imports["variables"]))
    _replace_fork_exec(helper.fork_exec)
    os.register_at_fork(after_in_child=lambda: _replace_fork_exec(_usual))  # a child's children are not this process's
    return request


_usual: Final = _posixsubprocess.fork_exec


def _replace_fork_exec(function: Callable[..., int]) -> None:
    _posixsubprocess.fork_exec = function
    if hasattr(subprocess, "_fork_exec"):  # Python 3.11 and later
        subprocess._fork_exec = function


@dataclass(frozen=True, slots=True)
class _Call:
    """The arguments of `_posixsubprocess.fork_exec`, in their order after the last ones, in which versions differ."""

    rarely_used: Sequence[Any]
    args: Sequence[Any]
    programs: Sequence[Any]
    close_files: bool
    kept: Sequence[int]
    folder: Any
    variables: Sequence[bytes] | None
    stdin: int
    to_stdin: int
    from_stdout: int
    stdout: int
    from_stderr: int
    stderr: int
    from_errors: int
    for_errors: int
    restore_signals: int
    new_session: int

    @property
    def is_plain(self) -> bool:
        """Whether it starts this interpreter, with no option but ``-u``, and asks for nothing beyond a fork."""
        runs = self.words[:1] and (not self.words[0].startswith("-") or self.words[0] in ("-c", "-m"))
        unused = all(any(value is no for no in _NOT_USED) for value in self.rarely_used)
        return bool(runs and self.close_files and unused and os.fsdecode(self.programs[0]) == sys.executable)

    @property
    def words(self) -> list[str]:
        words = [os.fsdecode(word) for word in self.args[1:]]
        return words[1:] if words[:1] == [_UNBUFFERED] else words

    @property
    def unbuffered(self) -> bool:
        return _UNBUFFERED in map(os.fsdecode, self.args[1:2]) or bool(self.environ.get("PYTHONUNBUFFERED"))

    @property
    def cwd(self) -> str:
        return os.getcwd() if self.folder is None else os.path.abspath(os.fsdecode(self.folder))

    @property
    def environ(self) -> dict[str, str]:
        if self.variables is None:
            return dict(os.environ)
        pairs = (os.fsdecode(variable).partition("=") for variable in self.variables)
        return {name: value for name, _, value in pairs}

    @property
    def streams(self) -> list[int]:
        """The files that become its standard input, output and errors."""
        return [own if other == -1 else other for own, other in enumerate((self.stdin, self.stdout, self.stderr))]


@dataclass(frozen=True, slots=True)
class _Helper:
    """The helper, as its process sees it.

    Attributes:
        connection: The socket on which it is asked.
        own: What this process itself was asked to run.
        read: Variables that were read while modules were imported.
    """

    connection: socket.socket
    own: Request
    read: frozenset[str]

    def fork_exec(self, *arguments: Any) -> int:
        """Fork what `_posixsubprocess.fork_exec` would start, or have it start where that would be another process."""
        request = self._request(_Call(arguments[16:], *arguments[:16]))
        return _usual(*arguments) if request is None else self._ask(request)

    def _request(self, call: _Call) -> Request | None:
        if not call.is_plain or self._differs(call.environ):
            return None
        kept = {file: file for file in call.kept if file not in (call.for_errors, 0, 1, 2)}
        files = {**dict(enumerate(call.streams)), **kept}
        return {
            "words": call.words,
            "cwd": call.cwd,
            "environ": call.environ,
            "path": [_first(call.words, call.cwd), *self.own["path"][1:]],
            "new_session": bool(call.new_session),
            "unbuffered": call.unbuffered,
            "files": list(files),
            "sources": list(files.values()),
        }

    def _differs(self, environ: Mapping[str, str]) -> bool:
        """Whether a fresh interpreter with these variables would be another one than a fork."""
        names = {name for name, _ in environ.items() ^ self.own["environ"].items()} - _PUT_RIGHT
        cold = tuple(self.own["cold_variables"])
        return "PYTHONPATH" in names or bool(names & self.read) or any(name.startswith(cold) for name in names)

    def _ask(self, request: Request) -> int:
        sources = request.pop("sources")
        with _asking:
            _be_subreaper(True)
            try:
                socket.send_fds(self.connection, [b"\n"], sources)
                self.connection.sendall(json.dumps(request).encode() + b"\n")
                with self.connection.makefile("r") as answers:
                    return int(answers.readline())
            finally:
                _be_subreaper(False)


_asking: Final = threading.Lock()


def _be_subreaper(whether: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0)


def _first(words: Sequence[str], cwd: str) -> str:
    """Return the first folder of the import path."""
    if words[0] == "-c":
        return ""
    return cwd if words[0] == "-m" else os.path.dirname(os.path.realpath(os.path.join(cwd, words[0])))


def _serve(connection: socket.socket) -> Request:
    """Fork until the process has ended; only what was forked returns, with what it is to run."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)
    while True:
        files = socket.recv_fds(connection, 1, _MOST_FILES)[1]
        if not files:
            os._exit(0)
        with connection.makefile("r") as lines:
            request: Request = json.loads(lines.readline())
        process = _fork_twice()
        if not process:
            connection.close()
            signal.signal(signal.SIGINT, interrupted)
            _take_files(files, request["files"])
            _put_right(request)
            return request
        for file in files:
            os.close(file)
        connection.sendall(b"%d\n" % process)


def _fork_twice() -> int:
    """Return the id of a process that has lost its parent, or 0 in that process."""
    reader, writer = os.pipe()
    between = os.fork()
    if between:
        os.close(writer)
        with open(reader) as pipe:
            process = int(pipe.read())
        os.waitpid(between, 0)
        return process
    between = os.getpid()
    process = os.fork()
    if process:
        os.write(writer, b"%d" % process)
        os._exit(0)
    os.close(reader)
    os.close(writer)
    while os.getppid() == between:  # what looks for its parent finds the right one
        os.sched_yield()
    return 0


def _take_files(received: Sequence[int], numbers: Sequence[int]) -> None:
    """Give the files that were received the numbers under which a cold process would have them."""
    above = max(*numbers, *received) + 1
    copies = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, above) for file in received]
    for file in received:
        os.close(file)
    for copy, number in zip(copies, numbers, strict=True):
        os.dup2(copy, number)
        os.close(copy)


def _put_right(request: Request) -> None:
    """Make good what a fresh interpreter, and torch in it, read of the variables at their start."""
    if request["new_session"]:
        os.setsid()
    if request["unbuffered"]:
        for stream in (sys.stdout, sys.stderr):  # the same ones: what was imported may have wrapped them
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    threads, torch = request["environ"].get("OMP_NUM_THREADS"), sys.modules.get("torch")
    if threads and torch:
        with contextlib.suppress(ValueError):
            torch.set_num_threads(int(threads))
