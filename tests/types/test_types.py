"""Type checkers refuse the wrong uses of the package, and find no fault in the right ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.checkout import ROOT, SCRIPTS, import_path

HERE: Final = Path(__file__).parent
WRONG, RIGHT = HERE / "wrong_uses.py", HERE / "right_uses.py"
MARK: Final = re.compile(r"  # (?P<mypy>[\w-]+), (?P<pyright>\w+)$")

Faults = Mapping[tuple[str, int], set[str]]
"""The rules that a checker finds broken, by file and line."""


def by_line(faults: list[tuple[str, int, str]]) -> Faults:
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for path, line, rule in faults:
        found[Path(path).name, line].add(rule)
    return found


def mypy(folder: Path) -> Faults:
    command = [str(SCRIPTS / "mypy"), "--output=json", str(WRONG), str(RIGHT)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines, result.stderr
    return by_line([(one["file"], one["line"], one["code"]) for one in lines if one["severity"] == "error"])


def pyright(folder: Path) -> Faults:
    """Run basedpyright with pyright's rules: its wheels bring all that it needs, and pyright's download it."""
    settings = {
        "include": [str(HERE)],
        "extraPaths": import_path().split(os.pathsep),
        "typeCheckingMode": "strict",
        "pythonVersion": "3.10",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [str(SCRIPTS / "basedpyright"), "--outputjson", f"--pythonpath={sys.executable}", f"--project={folder}"]
    result = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(result.stdout)["generalDiagnostics"]
    return by_line([(one["file"], one["range"]["start"]["line"] + 1, one["rule"]) for one in found])


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_a_checker_refuses_the_wrong_uses_alone(checker: Callable[[Path], Faults], tmp_path: Path) -> None:
    lines = enumerate(WRONG.read_text().splitlines(), start=1)
    marks = {(WRONG.name, number): mark[checker.__name__] for number, line in lines if (mark := MARK.search(line))}
    faults = checker(tmp_path)
    assert {at: sorted(rules) for at, rules in faults.items() if at not in marks} == {}
    assert {at: rule for at, rule in marks.items() if rule not in faults.get(at, ())} == {}
