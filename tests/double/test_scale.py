"""Many runs, rows and files, and file names that are no paths."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import requests
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask, head

HOSTILE = (
    "../../evil",
    "/etc/evil",
    "..",
    ".",
    "C:\\evil",
    "größe und 空白.txt",
    "a?name=b&c#d%2Fe+f",
    "d/" * 100 + "deep",
    " ",
    "nul\0",
    "a/../b",
    "a//b/",
)


def get(url: str) -> bytes:
    with urlopen(url) as answer:
        content: bytes = answer.read()
        return content


def test_runs_come_page_by_page_and_without_their_large_parts(server: WandbServer) -> None:
    ids = [f"run{number:03}" for number in range(120)]
    for number, run_id in enumerate(ids):
        server.put_run(run_id, project="p", config={"n": number}, history=[{"loss": 1.0}] * 50)
    runs = wandb.Api().runs("p")
    assert [run.id for run in runs] == ids
    assert (len(runs), server.requests["Runs"], server.requests["Run"]) == (120, 3, 0)
    assert (runs[7].config, server.requests["Run"]) == ({"n": 7}, 1)
    assert [run.id for run in wandb.Api().runs("p", order="-created_at", per_page=100)] == ids[::-1]
    assert server.requests["Runs"] == 5
    full = wandb.Api().runs("p", lazy=False, per_page=200)
    assert ([run.config["n"] for run in full], server.requests["Run"]) == (list(range(120)), 1)


def test_runs_are_filtered_and_ordered_by_values(server: WandbServer) -> None:
    for run_id, loss in [("a", 3.0), ("b", None), ("c", 1.0), ("d", 2.0)]:
        server.put_run(run_id, project="p", summary={"at": {"loss": loss}} if loss else {}, config={"lr": loss})

    def found(filters: dict[str, Any], order: str = "+created_at") -> str:
        return "".join(run.id for run in wandb.Api().runs("p", order=order, filters=filters))

    assert found({}, "+summary_metrics.at.loss") == "cdab"
    assert found({}, "-summary_metrics.at.loss") == "adcb"
    assert found({}, "config.lr.value") == "cdab"
    assert found({"$or": [{"name": "a"}, {"name": {"$in": ["c", "d"]}}]}) == "acd"
    assert found({"$and": [{"name": {"$in": ["a", "c"]}}, {"state": "failed"}]}) == ""


def test_a_long_history_is_read_whole_page_by_page_and_sampled_otherwise(server: WandbServer) -> None:
    rows = [{"loss": 1 / (step + 1), **({"acc": step} if step % 2 else {})} for step in range(2500)]
    server.put_run("run1", project="p", history=rows)
    run = wandb.Api().run("p/run1")
    assert list(run.scan_history()) == [{"_step": step, **row} for step, row in enumerate(rows)]
    assert server.requests["HistoryPage"] == 3
    assert [row["acc"] for row in run.scan_history(keys=["acc"])] == list(range(1, 2500, 2))
    assert [row["_step"] for row in run.scan_history(min_step=995, max_step=1005)] == list(range(995, 1005))
    for sample in (run.history(pandas=False), run.history(keys=["loss"], pandas=False)):
        steps = [row["_step"] for row in sample]
        assert (len(steps), steps[0], steps[-1]) == (500, 0, 2499)
        assert steps == sorted(set(steps))
    assert len(run.history(samples=10, pandas=False)) == 10


def test_files_come_page_by_page_with_size_and_hash(server: WandbServer, tmp_path: Path) -> None:
    contents = {f"{number:02}.bin": bytes([number]) * number for number in range(64)}
    server.put_run("run1", project="p", files=contents)
    files = wandb.Api().run("p/run1").files(per_page=20)
    hashes = {name: base64.b64encode(hashlib.md5(content).digest()).decode() for name, content in contents.items()}
    assert {file.name: (file.size, file.md5) for file in files} == {
        name: (len(content), hashes[name]) for name, content in contents.items()
    }
    assert (len(files), server.requests["RunFiles"]) == (64, 4)
    with files[63].download(root=str(tmp_path)) as file:
        assert file.read() == "?" * 63
    named = wandb.Api().run("p/run1").files(names=["05.bin", "none", "04.bin"])
    assert [file.name for file in named] == ["05.bin", "04.bin"]


def test_every_file_has_an_address_that_leads_to_it_and_to_no_other(server: WandbServer) -> None:
    contents = {name: str(number).encode() for number, name in enumerate(HOSTILE)}
    server.put_run("a b/ü", project="p?", files=contents)
    answer = ask(server, "query RunFiles { project }", project="p?", name="a b/ü")
    files = answer["data"]["project"]["run"]["files"]["edges"]
    found = {edge["node"]["name"]: edge["node"]["url"] for edge in files}
    assert list(found) == list(HOSTILE)
    for name, url in found.items():
        told, rest = head(url)
        assert told.startswith(b"HTTP/1.1 200"), name
        assert (f"Content-Length: {len(contents[name])}".encode() in told, rest) == (True, b""), name
        assert requests.get(url, timeout=10).content == get(url) == contents[name], name
        assert [server.requests[f"{kind}:a b/ü/{name}"] for kind in ("head", "download")] == [1, 2], name
    assert requests.get(found[HOSTILE[0]] + "x", timeout=10).status_code == 404


def test_a_file_of_any_name_is_uploaded_under_it(server: WandbServer, tmp_path: Path) -> None:
    path = tmp_path / "50% größe" / "a?b#c&d+e.txt"
    path.parent.mkdir()
    path.write_bytes(b"content")
    with wandb.init(id="run1", project="p") as run:
        run.save(str(path), base_path=str(tmp_path))
    assert server.run("run1").files["50% größe/a?b#c&d+e.txt"] == b"content"
    assert server.requests["upload:run1/50% größe/a?b#c&d+e.txt"] == 1


@pytest.mark.parametrize("size", [0, 50_000_000])
def test_a_file_of_any_size_is_downloaded(size: int, server: WandbServer, tmp_path: Path) -> None:
    server.put_run("run1", project="p", files={"model.bin": b"\x01" * size})
    wandb.Api().run("p/run1").file("model.bin").download(root=str(tmp_path)).close()
    whole = (tmp_path / "model.bin").read_bytes() == b"\x01" * size
    assert whole
