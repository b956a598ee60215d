"""An artifact of 2 GB that comes home in a constant amount of memory; minutes on a busy machine, so in `make soak`."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flyte_wandb.results.downloads._folder import Folder
from flyte_wandb.testing import WandbServer
from flyte_wandb.testing.state._files import File
from tests.checkout import import_path
from tests.downloads.artifacts import put_artifact
from tests.downloads.runs import small_run

SIZE = 2 << 30
MOST_MEMORY = 400 << 20
_DOWNLOAD = """
import resource, flyte_wandb
flyte_wandb.download_wandb_run_dir('r1', 'run', project='p', include_artifacts=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.usefixtures("online")
@pytest.mark.timeout(1200)
def test_two_gigabytes_pass_through_little_memory(server: WandbServer, tmp_path: Path) -> None:
    small_run(server)
    put_artifact(server, "model", {"weights.bin": b"small", "copy.bin": b"small"})
    sparse = File(bytes(1 << 20) for _ in range(SIZE >> 20))
    (artifact,) = server._store.artifacts.by_id.values()
    entries = {name: {"digest": sparse.md5, "size": SIZE} for name in ("weights.bin", "copy.bin")}
    artifact.set_manifest(File([json.dumps({"version": 1, "contents": entries}).encode()]))
    server._store.artifacts.contents[sparse.md5] = sparse
    command, environ = [sys.executable, "-c", _DOWNLOAD], {**os.environ, "PYTHONPATH": import_path()}
    ended = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    folder = Folder(tmp_path / "run" / "artifacts" / "model" / "v0")
    assert [base64.b64encode(folder.md5(name)).decode() for name in entries] == [sparse.md5] * 2
    assert server.requests["artifact_download"] == 2, "the manifest, and one of the files"
    assert int(ended.stdout.split()[-1]) < MOST_MEMORY
