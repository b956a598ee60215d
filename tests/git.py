"""Git in a folder of a test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

REMOTE: Final = "https://git.example.org/team/train.git"


def run_git(folder: Path, *words: str) -> str:
    """Run git, and return what it prints."""
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_checkout(folder: Path) -> Path:
    """Make a checkout with one commit and a remote."""
    folder.mkdir()
    run_git(folder, "init", "--quiet")
    run_git(folder, "commit", "--quiet", "--allow-empty", "--message", "First")
    run_git(folder, "remote", "add", "origin", REMOTE)
    return folder
