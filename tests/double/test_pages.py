"""The pages that links lead to, and requests that no client of W&B would send."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask


def read(url: str) -> tuple[int, str]:
    try:
        with urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def write_run(run_id: str, **options: Any) -> wandb.Run:
    run = wandb.init(id=run_id, project="p", reinit="create_new", **options)
    run.log({"loss": 0.25})
    run.finish()
    return run


def test_the_page_of_a_run(server: WandbServer) -> None:
    run = write_run("run1", name="<b>", group="g", config={"lr": 0.125}, tags=["a", "b"])
    assert run.url is not None
    status, html = read(run.url)
    assert status == 200
    for text in ("run1", "finished", "&lt;b&gt;", "a, b", "0.125", "<td>0</td><td>0.25</td>"):
        assert text in html
    assert f'href="{server.url}/local/p"' in html
    assert f'href="{server.url}/local/p/groups/g/workspace"' in html


@pytest.mark.parametrize("name", ["plain", "with space", "größe", "a&b+c"])
def test_names_are_quoted(server: WandbServer, name: str) -> None:
    run = write_run(name, group=f"50%/{name}")
    record = server.run(name)
    assert record.url == f"{server.url}/local/p/runs/{quote(name, safe='')}"
    assert run.url is not None
    assert read(run.url)[0] == 200
    assert record.history == ({"loss": 0.25, "_step": 0},)
    group = f"{server.url}/local/p/groups/{quote(f'50%/{name}', safe='')}/workspace"
    assert group in read(record.url)[1]
    assert read(group)[0] == 200


def test_the_pages_of_the_server_and_of_an_entity(server: WandbServer) -> None:
    assert read(server.url)[0] == 200
    assert read(f"{server.url}/local")[0] == 404
    url = server.put_run("a").url
    for page in (server.url, f"{server.url}/local"):
        status, html = read(page)
        assert (status, url in html) == (200, True)
    assert read(f"{server.url}/others")[0] == 404


def test_the_pages_of_a_group_and_of_a_project(server: WandbServer) -> None:
    runs = {"a": "g", "b": "g", "c": "h"}
    urls = [server.put_run(run_id, project="p", group=group).url for run_id, group in runs.items()]
    status, html = read(f"{server.url}/local/p/groups/g/workspace")
    assert (status, [url in html for url in urls]) == (200, [True, True, False])
    status, html = read(f"{server.url}/local/p")
    assert (status, [url in html for url in urls]) == (200, [True, True, True])


def test_a_page_of_nothing_is_not_found(server: WandbServer) -> None:
    server.put_run("run1", project="p")
    for path in ("local/q", "team/p", "local/p/runs/run2", "local/p/runs", "local/p/groups/g/workspace"):
        status, html = read(f"{server.url}/{path}")
        assert (status, "Not found" in html) == (404, True), path
    assert "<script>" not in read(f"{server.url}/<script>")[1]


def test_the_files_of_a_run_are_served(server: WandbServer) -> None:
    write_run("run1", config={"lr": 0.125})
    assert "0.125" in read(f"{server.url}/files/local/p/run1?name=config.yaml")[1]
    assert read(f"{server.url}/files/local/p/run1?name=other.yaml")[0] == 404
    assert read(f"{server.url}/files/local/p/run2?name=config.yaml")[0] == 404


def test_an_unknown_operation_is_named() -> None:
    with WandbServer() as server:
        answer = ask(server, "query Strange ($id: ID!) { strange }")
        assert "cannot answer Strange" in json.dumps(answer["errors"])
        assert "cannot answer RunSampledHistory" in json.dumps(ask(server, "query RunSampledHistory { run }")["errors"])
        assert server.unknown_operations == ("Strange", "RunSampledHistory")


def test_a_runs_page_has_its_plots_files_and_artifacts(server: WandbServer) -> None:
    run = wandb.init(id="run1", project="p")
    for step in range(30):
        run.log({"loss": 1 / (step + 1), "at": {"f1": step}})
    artifact = wandb.Artifact("model", type="model")
    with artifact.new_file("a/weights.bin", mode="wb") as file:
        file.write(b"w" * 5000)
    run.log_artifact(artifact).wait()
    run.finish()
    html = read(server.run("run1").url)[1]
    for text in ("<svg", "at.f1", "Last 20 rows", "config.yaml", "model:v0", "color-scheme:dark"):
        assert text in html
    assert html.count("<svg") == 2
    (link,) = re.findall(r'href="([^"]+/artifacts/[^"]+)"', html)
    status, html = read(link)
    assert (status, "a/weights.bin" in html, "5,000" in html, "run1" in html) == (200, True, True, True)
    assert read(f"{link}9")[0] == 404


@pytest.mark.parametrize(("goal", "order"), [("minimize", ["c", "a", "b"]), ("maximize", ["a", "c", "b"])])
def test_a_sweeps_page_has_its_trials_best_first(goal: str, order: list[str], server: WandbServer) -> None:
    config = {"method": "random", "metric": {"name": "loss", "goal": goal}, "parameters": {"lr": {"min": 0, "max": 9}}}
    sweep_id = server.put_sweep(config, project="p")
    for run_id, loss in (("a", 2.0), ("b", None), ("c", 1.0)):
        summary = {} if loss is None else {"loss": loss}
        server.put_run(run_id, project="p", sweep=sweep_id, summary=summary, config={"lr": 7})
    html = read(server.sweep(sweep_id).url)[1]
    assert re.findall(r'runs/(\w)"', html) == order
