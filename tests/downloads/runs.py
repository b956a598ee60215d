"""Runs to download, and what of them has to be on this machine afterwards."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import RunRecord, WandbServer

HOSTILE: Final = "../../../evil.txt"
BIG: Final = "checkpoints/model.bin"


def small_run(server: WandbServer, run_id: str = "r1", **about: Any) -> RunRecord:
    """Put a run of the project `p` there, with two rows and a file."""
    options: dict[str, Any] = {"history": [{"loss": 0.5}, {"loss": 0.25}], "files": {"a.txt": b"a"}, **about}
    return server.put_run(run_id, **{"project": "p", "config": {"lr": 0.1}, **options})


def large_run(server: WandbServer) -> RunRecord:
    """Put a run there with 5,000 rows and 64 files of every kind."""
    draw = random.Random(1)
    files = {f"media/{number % 7}/{number}.bin": draw.randbytes(1000 + number) for number in range(59)}
    files |= {BIG: draw.randbytes(50 << 20), "empty.txt": b"", HOSTILE: b"outside?", "summary.json": b"the user's own"}
    files |= {"späte Früchte/ümlaut .txt": "ü".encode()}
    history = [{"loss": 1 / (1 + step), "layers": {"first": {"mean": step}}} for step in range(5000)]
    summary = {"best": {"loss": 0.1, "at": [1, 2]}, "final": 1}
    return server.put_run(
        "large", project="p", config={"optim": {"lr": 0.1}}, history=history, summary=summary, files=files, tags=["x"]
    )


def document(folder: Path, name: str) -> Any:
    """Read a JSON file of a run's folder."""
    return json.loads((folder / name).read_text())


def read_rows(folder: Path, name: str = "history.jsonl") -> list[dict[str, Any]]:
    """Read a file of rows; constants that are no JSON are an error."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    lines = (folder / name).read_text().splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def files_here(folder: Path) -> dict[str, bytes]:
    """Read the files of the run by the paths that they have here."""
    root = folder / "files"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def files_by_name(folder: Path) -> dict[str, bytes]:
    """Read the files of the run by the names that the server has for them."""
    names = {path: name for name, path in document(folder, "run.json")["renamed_files"].items()}
    return {names.get(path, path): content for path, content in files_here(folder).items()}


def whole(folder: Path, record: RunRecord) -> bool:
    """Whether everything of a run is here, byte for byte."""
    assert files_by_name(folder) == record.files
    assert read_rows(folder) == list(record.history)
    assert document(folder, "config.json") == record.config
    assert document(folder, "summary.json") == record.summary
    return bool(document(folder, "run.json")["id"] == record.id)
