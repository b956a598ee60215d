"""A container that does not end in time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import Container


def test_a_child_that_holds_the_output_does_not_keep_the_test(tmp_path: Path) -> None:
    nothing: Any = None
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            Container(process, nothing, tmp_path).wait(timeout=0.1)
        assert Path(f"/proc/{child}").exists(), "it holds the output still"
    finally:
        subprocess.run(["kill", str(child)], check=True)
