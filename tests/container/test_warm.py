"""Containers from a warm process are what cold ones are, and where they cannot be, they are cold ones."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import start_container
from flyte_wandb.testing._container import IMPORTS
from flyte_wandb.testing._warm import COLD_VARIABLE, WarmProcess, start_warm
from tests.checkout import import_path
from tests.container import reporting
from tests.distributions import install
from tests.services import ends

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this machine has no warm containers")


def variables(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": import_path(), **more}


def run(
    *words: str,
    folder: Path,
    modules: tuple[str, ...] = IMPORTS,
    environ: dict[str, str] | None = None,
    warm_children: bool = False,
) -> tuple[int, str] | None:
    """Run a program in a warm process, and return its exit code and all that it prints, or None where it is cold."""
    output = folder / "output"
    with output.open("wb") as file:
        streams = (0, file.fileno(), file.fileno())
        options: dict[str, Any] = {"modules": modules, "streams": streams, "warm_children": warm_children}
        process = start_warm(words, folder=folder, environ=environ or variables(folder), **options)
    if process is None:
        return None
    try:
        return process.wait(60), output.read_text()
    finally:
        process.kill()  # where it has not ended
        process.wait()


def run_cold(*words: str, folder: Path) -> tuple[int, str]:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    result = subprocess.run([sys.executable, *words], cwd=folder, env=variables(folder), **options)
    return result.returncode, result.stdout


def without_times(log: str) -> str:
    return re.sub(r"[\d:.]+ ", "", log)


def test_a_warm_container_finds_what_a_cold_one_finds(tmp_path: Path) -> None:
    options: dict[str, Any] = {"folder": tmp_path, "environ": {"OWN": "value"}}
    warm = start_container(reporting.state, **options)
    assert isinstance(warm.process, WarmProcess)
    cold = start_container(reporting.state, warm=False, **options)
    assert isinstance(cold.process, subprocess.Popen)
    ended, as_cold = warm.wait(), cold.wait()
    found = json.loads(ended.value)
    assert found == json.loads(as_cold.value)
    assert found["environ"]["OWN"] == "value"
    assert (ended.exit_code, without_times(ended.log)) == (as_cold.exit_code, without_times(as_cold.log))


def test_two_warm_containers_share_no_id_no_random_number_and_no_temporary_folder(tmp_path: Path) -> None:
    started = [start_container(reporting.identity, folder=tmp_path, label=label) for label in ("one", "two")]
    assert {type(one.process) for one in started} == {WarmProcess}
    first, second = (one.wait().value for one in started)
    assert len({*first, *second}) == 2 * len(first)
    assert not Path(first[1]).exists()
    assert not Path(second[1]).exists()


@pytest.mark.parametrize(
    "program",
    [
        "print('said', flush=True)",
        "import sys; print('to errors', file=sys.stderr); sys.exit(3)",
        "import sys; sys.exit('a reason')",
        "import os; os._exit(7)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, signal\ntry: os.kill(os.getpid(), 2); signal.pause()\nexcept KeyboardInterrupt: print('Ctrl-C')",
        "import atexit; atexit.register(print, 'at exit'); print('end')",
        "import threading as t; e = t.Event(); t.Thread(target=lambda: print(e.wait())).start(); print('end'); e.set()",
        "import sys; print(sys.argv, __name__, sys.stdin.fileno(), sys.path[0] == '')",
        "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3])",
        "import pickle, sys\nclass A: pass\nprint(pickle.loads(pickle.dumps(A())).__class__.__module__)",
        "import flyte, asyncio; print(flyte.syncify.syncify(asyncio.sleep)(0, 'through the loop of Flyte'))",
    ],
)
def test_a_warm_program_ends_and_prints_as_a_cold_one(program: str, tmp_path: Path) -> None:
    words = ("-c", program, "an argument", "--option")
    assert run(*words, folder=tmp_path) == run_cold(*words, folder=tmp_path)


def test_files_and_modules_run_as_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "beside.py").write_text("NAME = 'beside'")
    file = tmp_path / "below" / "program.py"
    file.write_text("import sys, beside; print(beside.NAME, sys.argv, sys.path[0], __file__, __name__)")
    (tmp_path / "module.py").write_text("import sys; print(sys.argv, sys.path[0], __file__, __name__)")
    for words in ((str(file), "x"), ("-m", "module", "x")):
        assert run(*words, folder=tmp_path) == run_cold(*words, folder=tmp_path)


SAYS = """
import json, os, signal, sys, __main__
handlers = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
said = [sys.argv, sys.path, os.getcwd(), sys.flags.hash_randomization, handlers, __main__.__name__]
said += [os.getppid() == int(os.environ.pop("PARENT")), os.getsid(0) == os.getpid(), sorted(os.environ.items())]
print(*said, "loaded" if "tabnanny" in sys.modules else "", sep="\\n", flush=True)
"""
STARTS_CHILDREN = """
import multiprocessing, os, subprocess, sys
from pathlib import Path

SAYS = Path("says.py").read_text()
os.environ["PARENT"] = str(os.getpid())
reader, writer = os.pipe()
os.write(writer, b"through a pipe")

def start(*words, **options):
    options = {"input": "standard input", "stdout": subprocess.PIPE, "text": True, **options}
    ended = subprocess.run([sys.executable, *words], **options)
    print(ended.returncode, ended.stdout, flush=True)

start("-c", f"{SAYS}print(input(), os.read({reader}, 99)); sys.exit(3)", "an argument", pass_fds=[reader])
start("-c", SAYS, cwd="below", start_new_session=True, env={**os.environ, "OWN": "1", "OMP_NUM_THREADS": "1"})
start("below/says.py", "--option", stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"})
start("-u", "below/says.py")
start("-m", "says", "x", stdin=subprocess.DEVNULL, input=None)
start("-c", SAYS, env={**os.environ, "PYTHONHASHSEED": "0"})
start("-E", "-c", SAYS)
start("-c", "import os; os.kill(os.getpid(), 9)")
spawned = multiprocessing.get_context("spawn")
answers = spawned.SimpleQueue()
for target, arguments in ((exec, (SAYS,)), (answers.put, ("an answer",)), (sys.exit, (4,))):
    process = spawned.Process(target=target, args=arguments)
    process.start()
    process.join()
    print(process.exitcode, flush=True)
print(answers.get())
with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdout=-1, stdin=-1) as child:
    child.stdout.readline()
    child.terminate()
    print(child.wait())
print(Path(f"/proc/self/task/{os.getpid()}/children").read_text().count(" "))
"""


def test_what_a_warm_process_starts_with_python_is_what_a_cold_one_starts_and_warm_where_it_can_be(
    tmp_path: Path,
) -> None:
    for folder in (tmp_path, tmp_path / "below"):
        folder.mkdir(exist_ok=True)
        (folder / "says.py").write_text(SAYS)
    words = ("-c", STARTS_CHILDREN)
    code, warm = run(*words, folder=tmp_path, modules=("tabnanny",), warm_children=True) or (None, "")
    cold_code, cold = run_cold(*words, folder=tmp_path)
    assert (code, cold_code) == (0, 0), f"{warm}\n{cold}"
    *of_warm, helper = warm.replace("\nloaded\n", "\n\n").splitlines()
    assert [*of_warm, str(int(helper) - 1)] == cold.splitlines()
    assert warm.splitlines().count("loaded") == 6


def test_a_helper_ends_with_its_process_which_somebody_kills(tmp_path: Path) -> None:
    children = "open(f'/proc/self/task/{os.getpid()}/children').read()"
    program = f"import os; print({children}, flush=True); os.kill(os.getpid(), 9)"
    code, output = run("-c", program, folder=tmp_path, warm_children=True) or (None, "")
    assert code == -signal.SIGKILL
    assert ends(int(output))


def test_a_plugin_that_is_installed_later_is_found(tmp_path: Path) -> None:
    program = "import importlib.metadata as m; print([one.name for one in m.entry_points(group='flyte_wandb')])"
    path = import_path(tmp_path)
    assert "acme" not in str(run("-c", program, folder=tmp_path, environ=variables(tmp_path, PYTHONPATH=path)))
    install(tmp_path, "acme-names", "NAME = 'acme'", plugin="acme")
    found = run("-c", program, folder=tmp_path, environ=variables(tmp_path, PYTHONPATH=path))
    assert "'acme'" in str(found)
    named = run(
        "-c", "import acme_names as m; print(m.NAME)", folder=tmp_path, environ=variables(tmp_path, PYTHONPATH=path)
    )
    assert named == (0, "acme\n")


@pytest.mark.parametrize(
    "variable", ["LOG_LEVEL", "PYTHONHASHSEED", "COVERAGE_PROCESS_START", "LD_PRELOAD", "OMP_NUM_THREADS", "TMPDIR"]
)
def test_a_variable_that_imports_or_the_interpreter_read_makes_a_cold_one(variable: str, tmp_path: Path) -> None:
    assert run("-c", "", folder=tmp_path, environ=variables(tmp_path, **{variable: "1"})) is None


@pytest.mark.parametrize("name", ["wandb.py", "wandb/__init__.py", "sitecustomize.py", "_cffi_backend.so", "click.py"])
def test_a_module_that_would_be_found_elsewhere_makes_a_cold_one(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    (folder / name).parent.mkdir(parents=True)
    environ = variables(tmp_path, PYTHONPATH=import_path(folder))
    (folder / "wandb").mkdir(exist_ok=True)  # as W&B makes one for its files: it hides no module
    assert run("-c", "", folder=tmp_path, environ=environ) == (0, "")
    (folder / name).write_text("")
    hidden = name != "_cffi_backend.so"
    assert (run("-c", "", folder=tmp_path, environ=environ) is None) is hidden


def test_imports_that_end_their_process_make_cold_ones(tmp_path: Path) -> None:
    assert run("-c", "", folder=tmp_path, modules=("unittest.__main__",)) is None
    assert run("-c", "", folder=tmp_path, modules=("is_not_there",)) == (0, "")


WITH_A_THREAD = """
import socket, threading
from flyte_wandb.testing._fork_server import _Server
threading.Thread(target=threading.Event().wait, name="of-an-import", daemon=True).start()
print(_Server(socket.socket(), 0).prepare())
"""


def test_threads_that_imports_have_started_make_cold_ones(tmp_path: Path) -> None:
    assert run_cold("-c", WITH_A_THREAD, folder=tmp_path) == (0, "imports have started threads: of-an-import\n")


def test_where_the_variable_is_set_every_container_is_cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COLD_VARIABLE, "1")
    assert run("-c", "", folder=tmp_path) is None


CLIENT = """
import os, pathlib, sys
from flyte_wandb.testing import _warm
process = _warm.start_warm(
    ["-c", "input()"], modules=("json",), folder=pathlib.Path.cwd(), environ=dict(os.environ), streams=(0, 1, 2)
)
(server,) = _warm._servers.values()
print(server.process.pid, process and process.pid, flush=True)
if sys.argv[1:]:
    sys.exit()
process.wait()
"""


@pytest.mark.parametrize("how", ["killed", "ends"])
def test_a_server_ends_with_the_process_that_started_it(how: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLIENT, *(["ends"] if how == "ends" else [])]
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=variables(tmp_path), **options) as client:
        assert client.stdout is not None
        server, process = map(int, client.stdout.readline().split())
        ends = [os.pidfd_open(server), os.pidfd_open(process)] if how == "killed" else []
        if how == "killed":
            client.send_signal(signal.SIGKILL)
            client.communicate("\n")  # at which the forked process ends, too: it is nobody's duty to end it
        client.wait(60)
    assert [bool(select.select([one], [], [], 60)[0]) for one in ends] == [True] * len(ends)
    for one in ends:
        os.close(one)
    assert not Path(f"/proc/{server}").exists() or how == "killed"
