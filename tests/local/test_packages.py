"""The list of installed packages: read once for all runs of a process, and kept with each as W&B itself keeps it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._packages import PACKAGES, PackageList
from tests.conftest import WITHOUT_PACKAGES, LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="packages")


class Reader:
    """A finder of distributions that knows none, and counts how often they are read."""

    readings = 0

    def find_spec(self, *_: Any) -> None: ...

    def find_distributions(self, *_: Any) -> Iterable[Any]:
        self.readings += 1
        return ()


@pytest.fixture(autouse=True)
def with_list(clean_client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have W&B keep the list, which tests of other things leave out."""
    for name in WITHOUT_PACKAGES:
        monkeypatch.delenv(name)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a test installs packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next run be the first of this process."""
    monkeypatch.setattr(PACKAGES, "_read", None)


@pytest.fixture
def reader(first_run: None, monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, reader])
    return reader


def install(folder: Path, name: str) -> None:
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def read_list(run: wandb.Run) -> Path:
    return Path(run.settings.files_dir, "requirements.txt")


@wandb_init(project="p")
def tracked() -> Path:
    return read_list(this_run())


@wandb_init(project="p", settings={"x_save_requirements": False})
def without_list() -> Path:
    return read_list(this_run())


@wandb_init(project="p")
def writes_nothing() -> None:
    this_run().log({"loss": 1})


@wandb_init(project="p")
def opens_its_own() -> Path:
    with wandb.init(project="p", reinit="create_new") as run:
        return read_list(run)


@wandb_init(project="p")
@env.task
async def child(number: int) -> str:
    return str(read_list(this_run()))


@env.task
async def crowd() -> list[str]:
    return await asyncio.gather(*map(child, range(6)))


def bare() -> bytes:
    with wandb.init(project="p") as run:
        pass
    return read_list(run).read_bytes()


@pytest.mark.usefixtures("offline")
def test_each_run_has_the_list_that_a_bare_run_has(reader: Reader) -> None:
    first, second = tracked().read_bytes(), tracked().read_bytes()
    assert reader.readings == 1
    assert first == second == bare() != b""


@pytest.mark.usefixtures("offline")
def test_a_package_that_was_installed_since_is_in_the_next_list(installed: Path) -> None:
    before = tracked().read_bytes()
    install(installed, "installed-since")
    after = tracked().read_bytes()
    assert b"installed-since==1.0" in after
    assert b"installed-since" not in before
    assert after == bare()


@pytest.mark.usefixtures("offline")
def test_files_that_a_task_writes_beside_packages_have_no_list_read_again(installed: Path, reader: Reader) -> None:
    install(installed, "installed-before")
    lists = []
    for step in range(3):
        lists.append(tracked().read_bytes())
        (installed / f"checkpoint-{step}.pt").touch()  # in the folder of its program, which is on the path
    assert reader.readings == 1
    assert {*lists} == {bare()}


@pytest.mark.usefixtures("offline")
def test_runs_that_are_opened_at_once_wait_for_one_reading(run_local: LocalRun, reader: Reader) -> None:
    lists = {Path(path).read_bytes() for path in run_local(crowd)}
    assert reader.readings == 1
    assert lists == {bare()}


def test_the_first_list_is_read_while_the_server_opens_the_run(
    online: WandbServer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in WITHOUT_PACKAGES:
        monkeypatch.delenv(name)
    with ThreadPoolExecutor() as threads:
        with online.paused():
            opened = threads.submit(tracked)
            online.wait_for(lambda _: reader.readings)
            assert not opened.done()
        opened.result()
    assert reader.readings == 1


@pytest.mark.usefixtures("clean_client")
def test_a_disabled_run_reads_no_list(monkeypatch: pytest.MonkeyPatch, reader: Reader) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert writes_nothing() is None
    assert reader.readings == 0


@pytest.mark.usefixtures("offline")
def test_a_finder_that_arrives_while_the_list_is_read_has_nothing_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Arriving(Reader):
        def find_distributions(self, *_: Any) -> Iterable[Any]:
            if not self.readings:
                sys.meta_path.insert(0, Reader())
            self.readings += 1
            yield Distribution.at(tmp_path / "arriving-1.0.dist-info")

    install(tmp_path, "arriving")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Arriving()])
    assert [package.name for package in PackageList().get_request().package].count("arriving") == 1


@pytest.mark.usefixtures("offline")
def test_who_wants_no_list_has_none() -> None:
    assert not without_list().exists()


@pytest.mark.usefixtures("offline")
def test_a_run_that_the_body_opens_by_itself_is_left_to_wandb(reader: Reader) -> None:
    own = opens_its_own()
    assert reader.readings == 2
    assert own.read_bytes() == bare()
