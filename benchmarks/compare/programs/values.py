"""Settings of `wandb_config` by case: what a run is to have in the end."""

from __future__ import annotations

from typing import Any, Final

VALUES: Final[dict[str, dict[str, Any]]] = {
    "project='123'": {"project": "123"},
    "id='007'": {"id": "007"},
    "name='true'": {"name": "true"},
    "name='{\"a\": 1}'": {"name": '{"a": 1}'},
    "group='null'": {"group": "null"},
    "notes='1e5'": {"notes": "1e5"},
    "job_type='eval'": {"job_type": "eval"},
    "tags, a list": {"tags": ["a", "b"]},
    "tags, a tuple": {"tags": ("a", "b")},
    "config": {"config": {"lr": 0.1, "n": 3, "flag": True, "text": "007", "deep": {"a": [1, 2]}}},
    "config with a tuple": {"config": {"betas": (0.9, 0.99)}},
}
