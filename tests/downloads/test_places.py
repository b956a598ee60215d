"""Which run is meant, where it lives, and what is said where it cannot be had."""

from __future__ import annotations

from pathlib import Path

import flyte
import pytest
import wandb

from flyte_wandb import DownloadError, download_wandb_run_dir, wandb_config, wandb_init
from flyte_wandb.results.downloads._reference import Reference, read_reference
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.downloads.runs import document, read_rows, small_run

env = flyte.TaskEnvironment(name="places")


@env.task
def plain(run_id: str | None = None) -> str:
    return download_wandb_run_dir(run_id)


@wandb_init(project="of-the-decorator", entity="team")
@env.task
def own() -> list[str]:
    run = this_run()
    return [run.id, download_wandb_run_dir(), plain(), plain(run.id)]


@wandb_init(project="p")
@env.task
def own_only() -> str:
    return download_wandb_run_dir()


def place_of(folder: str) -> str:
    run = document(Path(folder), "run.json")
    return f"{run['entity']}/{run['project']}/{run['id']}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r1", Reference(id="r1")),
        ("p/r1", Reference(id="r1", project="p")),
        ("/team/p/r1/", Reference(id="r1", project="p", entity="team")),
        ("team/p/runs/r1", Reference(id="r1", project="p", entity="team")),
        ("team/p/sweeps/s1", Reference(id="s1", project="p", entity="team", kind="sweep")),
        (
            "https://wandb.example.com/team/my%20p/runs/r1/overview?nw=1",
            Reference(id="r1", project="my p", entity="team", host="https://wandb.example.com"),
        ),
        (
            "https://forge.coreweave.com/wandb/team/p/sweeps/s1",
            Reference(id="s1", project="p", entity="team", host="https://forge.coreweave.com/wandb", kind="sweep"),
        ),
    ],
)
def test_what_people_write_is_read(text: str, expected: Reference) -> None:
    assert read_reference(text) == expected


@pytest.mark.parametrize(
    "text", ["a/b/c/d", "a//b", "https://wandb.example.com/team/p", "https://wandb.example.com", "http://[x/runs/r1"]
)
def test_what_names_no_run_is_an_error(text: str) -> None:
    with pytest.raises(DownloadError, match="is not a run of W&B; write its id, ENTITY/PROJECT/ID, or the address"):
        read_reference(text)


@pytest.mark.usefixtures("online")
def test_the_run_of_a_task_is_found_in_its_own_place_by_the_task_and_by_those_below(run_local: LocalRun) -> None:
    run_id, *folders = run_local(own, context=wandb_config(project="elsewhere"))
    assert [place_of(folder) for folder in folders] == [f"team/of-the-decorator/{run_id}"] * 3


@pytest.mark.usefixtures("online")
def test_a_bare_id_is_looked_for_where_the_settings_say(server: WandbServer, run_local: LocalRun) -> None:
    small_run(server, "x1", project="of-the-context", entity="team")
    context = wandb_config(project="of-the-context", entity="team", host=server.url)
    assert place_of(run_local(plain, "x1", context=context)) == "team/of-the-context/x1"


@pytest.mark.usefixtures("clean_client")
def test_an_address_names_the_server_and_arguments_win(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", server.environ["WANDB_API_KEY"])
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    small_run(server, project="q", entity="team")
    assert place_of(download_wandb_run_dir(f"{server.url}/team/q/runs/r1")) == "team/q/r1"
    assert place_of(download_wandb_run_dir("other/p/r1", project="q", entity="team", host=server.url)) == "team/q/r1"


@pytest.mark.usefixtures("offline")
def test_the_run_of_a_task_that_is_offline_is_refused_before_any_work(run_local: LocalRun) -> None:
    with pytest.raises(
        Exception, match=r"the run r1-\w+ is offline, so W&B does not have it yet; upload it with `flyte-wandb sync`"
    ):
        run_local(own_only)
    with pytest.raises(DownloadError, match="W&B is offline, so no server has the run of this task; name one"):
        download_wandb_run_dir()


@pytest.mark.usefixtures("clean_client")
def test_the_run_of_a_task_that_is_disabled_is_refused(run_local: LocalRun) -> None:
    with pytest.raises(Exception, match=r"is disabled .* so W&B has nothing to download"):
        run_local(own_only, context=wandb_config(mode="disabled"))


@pytest.mark.usefixtures("online")
def test_a_run_that_nobody_has_is_an_error_with_its_address(server: WandbServer) -> None:
    with pytest.raises(DownloadError, match=f"W&B does not know the run team/p/none .{server.url}/team/p/runs/none."):
        download_wandb_run_dir("team/p/none")
    with pytest.raises(DownloadError, match="the project of the run 'none' is unknown"):
        download_wandb_run_dir("none")


@pytest.mark.usefixtures("online")
def test_a_key_that_the_server_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "1" * 40)
    with pytest.raises(DownloadError, match=r"the run team/p/r1 .* was not downloaded: .*check host, key and network"):
        download_wandb_run_dir("team/p/r1")


@pytest.mark.usefixtures("online")
def test_no_key_is_an_error_and_nobody_is_asked_for_one(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(DownloadError, match=f"there is no API key for {server.url}; run `wandb login --host"):
        download_wandb_run_dir("team/p/r1")


@pytest.mark.usefixtures("online")
def test_a_run_of_the_real_client_is_read_as_it_was_written(tmp_path: Path) -> None:
    with wandb.init(project="p", id="r1", config={"optim": {"lr": 0.1}}, tags=["x"], group="g", notes="n") as run:
        run.log({"loss": 0.5, "layers": {"first": 1}})
        run.summary["best"] = {"loss": 0.5}
    download_wandb_run_dir("r1", tmp_path / "run", project="p")
    told = document(tmp_path / "run", "run.json")
    assert (told["state"], told["tags"], told["group"], told["notes"]) == ("finished", ["x"], "g", "n")
    assert document(tmp_path / "run", "config.json") == {"optim": {"lr": 0.1}}
    assert document(tmp_path / "run", "summary.json")["best"] == {"loss": 0.5}
    (row,) = read_rows(tmp_path / "run")
    assert (row["_step"], row["loss"], row["layers"]) == (0, 0.5, {"first": 1})
