"""Programs after W&B's guides, unchanged: they write with `wandb`, and read what arrived with `wandb.Api()`.

Those of one guide share a server and a client. None of them knows that it is not W&B's server that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer

Program = Callable[[], object]


def read(path: str) -> Any:
    """Read a run, with nothing remembered."""
    api: Any = wandb.Api()
    return api.run(path)


def train(run: wandb.Run, losses: list[float]) -> None:
    for loss in losses:
        run.log({"loss": loss, "accuracy": 1 - loss})


# Guide: runs


def log_metrics() -> None:
    with wandb.init(project="runs", id="metrics", config={"lr": 0.1}) as run:
        train(run, [0.5, 0.25])
    assert [row["loss"] for row in read("runs/metrics").scan_history()] == [0.5, 0.25]
    assert (read("runs/metrics").state, read("runs/metrics").config) == ("finished", {"lr": 0.1})


def set_the_config_later() -> None:
    with wandb.init(project="runs", id="config", config={"net": {"width": 8}}) as run:
        run.config.update({"epochs": 4})  # type: ignore[no-untyped-call]
        run.config["seed"] = 7
    assert read("runs/config").config == {"net": {"width": 8}, "epochs": 4, "seed": 7}


def summarize_by_the_best_value() -> None:
    with wandb.init(project="runs", id="best") as run:
        run.define_metric("loss", summary="min")
        run.define_metric("accuracy", summary="max")
        train(run, [0.5, 0.25, 0.75])
    summary = read("runs/best").summary
    assert (summary["loss"]["min"], summary["accuracy"]["max"]) == (0.25, 0.75)


def write_the_summary_by_hand() -> None:
    with wandb.init(project="runs", id="summary") as run:
        train(run, [0.5])
        run.summary["best_accuracy"] = 0.9
    assert read("runs/summary").summary["best_accuracy"] == 0.9


def log_one_step_in_parts() -> None:
    with wandb.init(project="runs", id="parts") as run:
        run.log({"loss": 1}, commit=False)
        run.log({"accuracy": 2})
        run.log({"loss": 3}, step=10)
    rows = [(row["_step"], row.get("loss"), row.get("accuracy")) for row in read("runs/parts").scan_history()]
    assert rows == [(0, 1, 2), (10, 3, None)]


def group_runs() -> None:
    for rank in range(2):
        with wandb.init(project="runs", id=f"rank{rank}", group="ddp", job_type="train", tags=["a"], notes="n"):
            pass
    found: Any = wandb.Api().runs("runs", filters={"group": "ddp", "jobType": "train"})
    assert [(run.id, run.tags, run.notes) for run in found] == [("rank0", ["a"], "n"), ("rank1", ["a"], "n")]


def fail() -> None:
    with pytest.raises(ZeroDivisionError), wandb.init(project="runs", id="failed"):
        raise ZeroDivisionError
    assert read("runs/failed").state == "failed"


def open_several_runs_in_one_process() -> None:
    first, second = (wandb.init(project="runs", id=name, reinit="create_new") for name in ("one", "two"))
    first.log({"a": 1})
    second.log({"a": 2})
    first.finish()
    second.finish()
    assert [next(iter(read(f"runs/{name}").scan_history(keys=["a"])))["a"] for name in ("one", "two")] == [1, 2]


def save_files() -> None:
    Path("out").mkdir()
    for name in ("a.txt", "b.txt"):
        Path("out", name).write_text(name)
    with wandb.init(project="runs", id="files") as run:
        run.save("out/*.txt", base_path="out")
    names = [file.name for file in read("runs/files").files(pattern="%.txt")]
    assert {"a.txt", "b.txt"} <= {*names}


def log_media() -> None:
    with wandb.init(project="runs", id="media") as run:
        run.log({"page": wandb.Html("<b>bold</b>", inject=False), "hist": wandb.Histogram([1, 2, 3])})
    assert read("runs/media").summary["hist"]["_type"] == "histogram"
    (page,) = read("runs/media").files(pattern="media/html/%")
    with page.download("media") as file:
        assert file.read() == "<b>bold</b>"


# Guide: resume, rewind, fork


def resume_what_must_be_there() -> None:
    with wandb.init(project="resume", id="must") as run:
        train(run, [0.5])
    with wandb.init(project="resume", id="must", resume="must") as run:
        assert (run.resumed, run.starting_step) == (True, 1)
        train(run, [0.25])
    assert [row["_step"] for row in read("resume/must").scan_history()] == [0, 1]
    with pytest.raises(wandb.errors.UsageError):
        wandb.init(project="resume", id="none", resume="must")


def resume_what_may_be_there() -> None:
    for resumed in (False, True):
        with wandb.init(project="resume", id="allow", resume="allow") as run:
            assert run.resumed is resumed
            train(run, [0.5])
    assert len(list(read("resume/allow").scan_history())) == 2


def never_resume() -> None:
    wandb.init(project="resume", id="never", resume="never").finish()
    with pytest.raises(wandb.errors.UsageError):
        wandb.init(project="resume", id="never", resume="never")


def rewind() -> None:
    with wandb.init(project="resume", id="rewind") as run:
        train(run, [0.5, 0.4, 0.3, 0.2])
    with wandb.init(project="resume", resume_from="rewind?_step=1") as run:
        run.log({"loss": 0.1})
    assert [(row["_step"], row["loss"]) for row in read("resume/rewind").scan_history()] == [
        (0, 0.5),
        (1, 0.4),
        (2, 0.1),
    ]


def fork_twice() -> None:
    with wandb.init(project="resume", id="trunk") as run:
        train(run, [0.5, 0.4, 0.3])
    for parent, child in (("trunk", "branch"), ("branch", "twig")):
        with wandb.init(project="resume", id=child, fork_from=f"{parent}?_step=1") as run:
            run.log({"loss": 0.1})
    assert [row["loss"] for row in read("resume/twig").scan_history()] == [0.5, 0.4, 0.1]
    assert [row["loss"] for row in read("resume/trunk").scan_history()] == [0.5, 0.4, 0.3]


# Guide: sweeps


def objective() -> None:
    with wandb.init() as run:
        run.log({"loss": run.config["x"] ** 2})


def sweep(method: str, parameters: dict[str, Any], objective: Program = objective, **options: Any) -> Any:
    config = {"method": method, "metric": {"name": "loss", "goal": "minimize"}, "parameters": parameters, **options}
    sweep_id = wandb.sweep(config, project="sweeps")
    wandb.agent(sweep_id, objective, project="sweeps", count=3)
    api: Any = wandb.Api()
    return api.sweep(f"sweeps/{sweep_id}")


def search_a_grid() -> None:
    searched = sweep("grid", {"x": {"values": [3, 1, 2]}}, name="grid")
    assert (searched.best_run().config["x"], searched.expected_run_count, searched.name) == (1, 3, "grid")
    assert [run.config["x"] for run in searched.runs] == [3, 1, 2]


def search_at_random() -> None:
    searched = sweep("random", {"x": {"min": 0.0, "max": 1.0}}, run_cap=2)
    assert [run.state for run in searched.runs] == ["finished"] * 2
    assert all(0 <= run.config["x"] <= 1 for run in searched.runs)


def search_nested_parameters() -> None:
    def nested() -> None:
        with wandb.init() as run:
            run.log({"loss": run.config["net"]["width"]})

    searched = sweep("grid", {"net": {"parameters": {"width": {"values": [8, 4]}}}, "seed": {"value": 1}}, nested)
    assert [run.config["net"] for run in searched.runs] == [{"width": 8}, {"width": 4}]


# Guide: artifacts


def log_model(run: wandb.Run, content: str, **options: Any) -> wandb.Artifact:
    artifact = wandb.Artifact("model", type="model", metadata={"loss": 0.5})
    Path("weights.txt").write_text(content)
    artifact.add_file("weights.txt")
    return run.log_artifact(artifact, **options).wait()


def log_use_and_download() -> None:
    with wandb.init(project="artifacts", id="trainer", job_type="train") as run:
        log_model(run, "first", aliases=["best"])
    with wandb.init(project="artifacts", id="tester") as run:
        folder = run.use_artifact("model:latest").download()
    assert Path(folder, "weights.txt").read_text() == "first"


def follow_the_lineage() -> None:
    api: Any = wandb.Api()
    artifact = api.artifact("artifacts/model:best")
    assert (artifact.logged_by().id, [run.id for run in artifact.used_by()]) == ("trainer", ["tester"])
    assert [one.name for one in read("artifacts/tester").used_artifacts()] == ["model:v0"]
    assert [one.name for one in read("artifacts/trainer").logged_artifacts()] == ["model:v0"]


def make_a_new_version() -> None:
    with wandb.init(project="artifacts", id="again") as run:
        log_model(run, "second", aliases=["best"])
        draft = run.use_artifact("model:best").new_draft()
        with draft.new_file("notes.txt") as file:
            file.write("better")
        draft.remove("weights.txt")
        run.log_artifact(draft).wait()
    api: Any = wandb.Api()
    assert [sorted(one.manifest.entries) for one in api.artifacts("model", "artifacts/model")] == [
        ["notes.txt"],
        ["weights.txt"],
        ["weights.txt"],
    ]
    assert api.artifact("artifacts/model:best").version == "v1"


def move_an_alias_and_delete_a_version() -> None:
    api: Any = wandb.Api()
    artifact = api.artifact("artifacts/model:v0")
    artifact.aliases.append("production")
    artifact.metadata["checked"] = True
    artifact.ttl = timedelta(days=10)
    artifact.save()
    read_again = wandb.Api().artifact("artifacts/model:production")
    assert (read_again.version, read_again.metadata["checked"], read_again.ttl) == ("v0", True, timedelta(days=10))
    read_again.delete(delete_aliases=True)
    assert not wandb.Api().artifact_exists("artifacts/model:v0")


def refer_to_files_elsewhere() -> None:
    Path("data").mkdir()
    Path("data", "a.csv").write_text("1,2")
    with wandb.init(project="artifacts", id="reference") as run:
        artifact = wandb.Artifact("elsewhere", type="dataset")
        artifact.add_reference(f"file://{Path('data').absolute()}")
        run.log_artifact(artifact).wait()
    api: Any = wandb.Api()
    entry = api.artifact("artifacts/elsewhere:latest").get_entry("a.csv")
    assert entry.ref == f"file://{Path('data').absolute()}/a.csv"
    assert Path(entry.download("copy")).read_text() == "1,2"


def add_a_folder_and_take_one_file() -> None:
    Path("folder/deep").mkdir(parents=True)
    Path("folder/deep/a.txt").write_text("a")
    Path("folder/b.txt").write_text("b")
    with wandb.init(project="artifacts", id="folder") as run:
        artifact = wandb.Artifact("folder", type="dataset", description="two files")
        artifact.add_dir("folder")
        run.log_artifact(artifact).wait()
    api: Any = wandb.Api()
    artifact = api.artifact("artifacts/folder:v0")
    assert Path(artifact.get_entry("deep/a.txt").download("one")).read_text() == "a"
    assert ({file.name for file in artifact.files()}, artifact.description) == ({"deep/a.txt", "b.txt"}, "two files")


def link_to_a_collection() -> None:
    with wandb.init(project="artifacts", id="linking") as run:
        run.link_artifact(log_model(run, "third"), "artifacts/candidates", aliases=["staging"])
    api: Any = wandb.Api()
    assert api.artifact("artifacts/candidates:staging").source_name == "model:v3"


# Guide: tables


def log_a_table() -> None:
    table = wandb.Table(columns=["id", "guess"])
    table.add_data(1, "cat")
    table.add_data(2, "dog")
    with wandb.init(project="tables", id="table") as run:
        run.log({"guesses": table})
    api: Any = wandb.Api()
    (logged,) = api.run("tables/table").logged_artifacts()
    assert (logged.type, logged.get("guesses").data) == ("run_table", [[1, "cat"], [2, "dog"]])


def keep_a_table_in_an_artifact() -> None:
    with wandb.init(project="tables", id="kept") as run:
        artifact = wandb.Artifact("evaluation", type="evaluation")
        artifact.add(wandb.Table(columns=["a"], data=[[1], [2]]), "scores")
        run.log_artifact(artifact).wait()
        table = run.use_artifact("evaluation:latest").get("scores")
    assert isinstance(table, wandb.Table)
    assert table.get_column("a") == [1, 2]


def plot_a_table() -> None:
    table = wandb.Table(columns=["x", "y"], data=[[1, 2], [3, 4]])
    with wandb.init(project="tables", id="plot") as run:
        run.log({"line": wandb.plot.line(table, "x", "y", title="line")})
    assert "line_table" in read("tables/plot").summary


# Guide: public API


def find_runs() -> None:
    for number, loss in enumerate([0.5, 0.1, 0.3]):
        with wandb.init(project="api", id=f"run{number}", config={"lr": number}, tags=["x"] * (number > 0)) as run:
            run.log({"loss": loss})
    api: Any = wandb.Api()
    assert [run.id for run in api.runs("api", order="+summary_metrics.loss")] == ["run1", "run2", "run0"]
    assert [run.id for run in api.runs("api", filters={"tags": "x", "config.lr": {"$gt": 1}})] == ["run2"]
    either = {"$or": [{"summary_metrics.loss": {"$lt": 0.2}}, {"display_name": {"$regex": "^no"}}]}
    assert [run.id for run in api.runs("api", filters=either)] == ["run1"]


def change_a_finished_run() -> None:
    run = read("api/run0")
    run.config["late"] = 1
    run.tags.append("good")
    run.name = "renamed"
    run.summary["checked"] = True
    run.update()
    again = read("api/run0")
    assert (again.config["late"], again.tags, again.name, again.summary["checked"]) == (1, ["good"], "renamed", True)


def exchange_files() -> None:
    Path("late.txt").write_text("late")
    run = read("api/run1")
    run.upload_file("late.txt")
    assert read("api/run1").file("late.txt").download("back", exist_ok=True).read() == "late"
    read("api/run1").file("late.txt").delete()
    assert "late.txt" not in [file.name for file in read("api/run1").files()]


def delete_a_run() -> None:
    read("api/run2").delete()
    assert [run.id for run in wandb.Api().runs("api")] == ["run0", "run1"]


# Guide: alerts


def send_an_alert() -> None:
    with wandb.init(project="alerts", id="alert") as run:
        run.alert(title="Low accuracy", text="0.1 is below 0.5", level="WARN")
        for _ in range(2):
            run.alert("Once an hour", "that is enough", wait_duration=timedelta(hours=1))


GUIDES: dict[str, list[Program]] = {
    "runs": [
        log_metrics,
        set_the_config_later,
        summarize_by_the_best_value,
        write_the_summary_by_hand,
        log_one_step_in_parts,
        group_runs,
        fail,
        open_several_runs_in_one_process,
        save_files,
        log_media,
    ],
    "resume": [resume_what_must_be_there, resume_what_may_be_there, never_resume, rewind, fork_twice],
    "sweeps": [search_a_grid, search_at_random, search_nested_parameters],
    "artifacts": [
        log_use_and_download,
        follow_the_lineage,
        make_a_new_version,
        move_an_alias_and_delete_a_version,
        refer_to_files_elsewhere,
        add_a_folder_and_take_one_file,
        link_to_a_collection,
    ],
    "tables": [log_a_table, keep_a_table_in_an_artifact, plot_a_table],
    "public API": [find_runs, change_a_finished_run, exchange_files, delete_a_run],
    "alerts": [send_an_alert],
}


@pytest.mark.usefixtures("quick_agents", "no_package_list")
@pytest.mark.parametrize("guide", GUIDES)
def test_programs_of_a_guide_run_unchanged(guide: str, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in GUIDES[guide]:
        program()
    if guide == "alerts":
        (alerts,) = (run.alerts for run in server.runs)
        assert [(alert.title, alert.level) for alert in alerts] == [("Low accuracy", "WARN"), ("Once an hour", "INFO")]
