"""The program of a fork server: it imports once what many processes import, and forks each of them.

`_warm` starts it by its text, and nothing imports it, so that nothing of this package is loaded in what it forks: each
process finds its plugins, and does what this package does after a fork, as a fresh interpreter would. What a fork
brings along and a fresh interpreter does not is put right in `_renew`, or the server says why it cannot.

For each process a client sends one byte over the control socket with four files: a new connection, then
standard input, output and errors. Over the connection it sends what to run, as JSON; the server answers with the
process id and, at the end of the process, with its exit code. The process stays a zombie until the connection is
closed, as one stays until `subprocess.Popen.wait`: until then its id is nobody else's. A forked process keeps the
client's end of the control socket, the door: what it starts in its turn comes from the same server.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_FILES: Final = 4
_DOOR: Final = 500
"""The number of the door at least, among numbers that no process hands on to one that it starts."""
_READERS: Final = ("sysconfig", "fsspec.config", "tqdm.utils")
"""HOME does not change what they import, although they read it. They read all variables to find those of their name."""


class _ReadVariables(os._Environ):  # type: ignore[type-arg]  # pyright: ignore
    """The environment while modules are imported: it notes which variables they look at."""

    names: Final[set[str]] = set()

    def __getitem__(self, name: Any) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._note(name)
        return super().__contains__(name)

    def __iter__(self) -> Iterator[Any]:
        self._note("*")
        return super().__iter__()

    def _note(self, name: object) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_globals.get("__name__") in _READERS:
                return
            frame = frame.f_back  # type: ignore[assignment]
        self.names.add(str(name))


def _import(modules: Sequence[str]) -> None:
    """Import what there is of some modules; versions of Flyte and W&B differ in their private ones."""
    usual = type(os.environ)
    os.environ.__class__ = _ReadVariables
    try:
        for module in modules:
            try:
                importlib.import_module(module)
            except ImportError:
                continue
    finally:
        os.environ.__class__ = usual


def _background_loops() -> list[Any]:
    """Return the loops that Flyte runs in threads for those who call async functions from sync ones."""
    module = sys.modules.get("flyte.syncify._api")
    kind = getattr(module, "_BackgroundLoop", None)  # private; without it the server says that a thread runs
    return [one for one in gc.get_objects() if type(one) is kind]


def _temporary_folders() -> list[tempfile.TemporaryDirectory[str]]:
    """Return the folders that imports have made, such as W&B's for media: the first process to end removes them."""
    return [one for one in gc.get_objects() if type(one) is tempfile.TemporaryDirectory]


class _Server:
    """The server's state.

    Attributes:
        control: The socket on which clients ask for processes.
        client: The pidfd of the process that started the server; at its end the server ends.
        living: Id and connection of each process that runs, by its pidfd.
        ended: Id of each process that has ended, by the connection that reported its end, until that is closed.
    """

    def __init__(self, control: socket.socket, client: int) -> None:
        self.control = control
        self.client = client
        self.loops = _background_loops()
        self.folders = _temporary_folders()
        self.living: dict[int, tuple[int, socket.socket]] = {}
        self.ended: dict[int, tuple[int, socket.socket]] = {}

    def prepare(self) -> str | None:
        """End what a fork does not survive, and return why forks would not do, or None."""
        for loop in self.loops:
            loop.stop()
            loop.loop.close()
            atexit.unregister(loop.stop)
        for folder in self.folders:
            folder.cleanup()
        gc.collect()
        gc.freeze()  # else the first collection in each process would copy all memory that it shares
        threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        return f"imports have started threads: {', '.join(threads)}" if threads else None

    def next_process(self) -> dict[str, Any]:
        """Serve; only a process that was forked returns, with what it is to run."""
        while True:
            files = [self.client, self.control.fileno(), *self.living, *self.ended]
            for file in select.select(files, [], [])[0]:
                if file == self.client:
                    os._exit(0)
                elif file in self.living:
                    self._tell_end(file)
                elif file in self.ended:
                    process, connection = self.ended.pop(file)
                    connection.close()
                    os.waitpid(process, 0)
                else:
                    request = self._fork()
                    if request is not None:
                        return request

    def _fork(self) -> dict[str, Any] | None:
        _, files, _, _ = socket.recv_fds(self.control, 1, _FILES)
        connection = socket.socket(fileno=files[0])
        with connection.makefile("rb") as lines:
            request: dict[str, Any] = json.loads(lines.readline())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 and later warn of the threads of numpy's BLAS
            process = os.fork()
        if not process:
            connection.close()
            self._leave(files[1:])
            return request
        self.living[os.pidfd_open(process)] = process, connection
        connection.sendall(b"%d\n" % process)
        for file in files[1:]:
            os.close(file)
        return None

    def _tell_end(self, pidfd: int) -> None:
        process, connection = self.living.pop(pidfd)
        os.close(pidfd)
        end: Any = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        with contextlib.suppress(OSError):  # nobody may wait for it
            connection.sendall(b"%d\n" % code)
        self.ended[connection.fileno()] = process, connection

    def _leave(self, streams: Sequence[int]) -> None:
        """Have this forked process hold nothing of the server's, and its own streams for the server's."""
        for number, file in enumerate(streams):
            os.dup2(file, number)
            os.close(file)
        for _, connection in (*self.living.values(), *self.ended.values()):
            connection.close()
        for pidfd in (self.client, *self.living):
            os.close(pidfd)
        self.control.close()


def _renew(server: _Server, request: Mapping[str, Any]) -> None:
    """Make a forked process what a fresh interpreter with that request would be, apart from its imports."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.path[:] = request["path"]
    sys.orig_argv[1:] = request["words"]
    importlib.invalidate_caches()  # also of distributions, so that plugins are looked for afresh
    tempfile.tempdir = None
    for folder in server.folders:
        type(folder).__init__(folder)
    for loop in server.loops:
        type(loop).__init__(loop, loop.thread.name)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _load(path: str) -> Any:
    """Import a file that lies beside this one, and nothing of the package around it."""
    spec: Any = importlib.util.spec_from_file_location("flyte_wandb_fork_children", path)
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(words: Sequence[str]) -> None:
    """Run what Python would run for these arguments: ``-c``, ``-m`` or a file."""
    kind = words[0]
    main, before = types.ModuleType("__main__"), vars(sys.modules["__main__"])
    vars(main).update({name: before[name] for name in before if name.startswith("__")}, __doc__=None)
    if "__annotations__" in before:
        main.__annotations__ = {}  # those of this program
    sys.modules["__main__"] = main
    if kind == "-m":
        sys.argv[:] = words[1:]
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]  # what `python -m` itself calls
    elif kind == "-c":
        sys.argv[:] = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), main.__dict__)
    else:
        sys.argv[:] = words
        main.__file__ = kind
        with open(kind, "rb") as file:
            text = file.read()
        exec(compile(text, kind, "exec"), main.__dict__)


def _serve() -> Sequence[str]:
    """Import and serve; only a process that was forked returns, with the arguments of what it is to run."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the processes, and for the client
    asked = json.loads(sys.argv[1])
    with os.fdopen(asked["door"]) as door:
        asked["door"] = fcntl.fcntl(door, fcntl.F_DUPFD_CLOEXEC, _DOOR)
    os.set_inheritable(asked["control"], False)
    client = os.pidfd_open(os.getppid())
    if os.getppid() != asked["client"]:
        os._exit(0)  # it had ended before
    usual = sys.path[1:]
    sys.path[:] = usual
    _import(asked["modules"])
    server = _Server(socket.socket(fileno=asked["control"]), client)
    imports = {
        "problem": server.prepare(),
        "path": usual,
        "modules": sorted({name.partition(".")[0] for name in sys.modules}),
        "variables": sorted(_ReadVariables.names),
        "added": {name: value for name, value in os.environ.items() if name not in asked["environ"]},
    }
    children = _load(asked["children"])
    server.control.sendall(json.dumps(imports).encode() + b"\n")
    request = server.next_process()
    signal.signal(signal.SIGINT, interrupted)
    if request["warm_children"]:
        request = children.start_helper(request, imports)
    _renew(server, request)
    sys.modules[asked["name"]] = sys.modules["__main__"]  # _run makes another
    vars(sys.modules["__main__"]).update(asked=asked, imports=imports)
    words: Sequence[str] = request["words"]
    return words


if __name__ == "__main__":
    _run(_serve())
