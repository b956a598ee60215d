"""What W&B refuses in a configuration is refused where it is given, and nothing else: asked of W&B's client."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import SettingError, wandb_config, wandb_init
from flyte_wandb.settings._config_values import config_fault


class Colour(enum.Enum):
    RED = 1


TAKEN: list[dict[str, Any]] = [
    {"a": 1, "": 2, "-b": 3},
    {"a": {1: 2, None: 3, (1, 2): 4, b"x": 5}},
    {"a": {1, 2}, "b": frozenset([1]), "c": range(3), "d": (1, [2, {"e": None}])},
    {"a": Colour.RED, "b": Path("x"), "c": datetime.date(2026, 1, 31), "d": decimal.Decimal(1), "e": 1j, "f": 1e400},
    {"a": b"text", "b": bytearray(b"\xff"), "c": slice(3), "d": len, "e": int, "f": argparse.Namespace(x=1)},
    {"a": collections.Counter("aa"), "b": collections.deque([1]), "c": "\ud800", "d": 2**70},
]
REFUSED: list[tuple[Any, str]] = [
    ({1: "a"}, "the key 1 of config"),
    ({None: "a"}, "the key None of config"),
    ({("a", "b"): 1}, "the key ('a', 'b') of config"),
    ({"a": {object: {"b": 1}, frozenset(): 2}}, "of config['a'] is of type type"),
    ({"a": object()}, "config['a'] is of type object"),
    ({"a": [{"b": ...}]}, "config['a'][0]['b'] is of type ellipsis"),
    ({"a": ValueError("x")}, "config['a'] is of type ValueError"),
    ({"a": {}.keys()}, "config['a'] is of type dict_keys"),
    ({"a": types}, "config['a'] is of type module"),
    ({"a": b"\xff"}, "config['a'] contains bytes that are not UTF-8"),
    ({"a": wandb.Html("<p>")}, "config['a'] is a Html; a config holds plain values"),
]


@pytest.mark.parametrize("config", TAKEN)
def test_what_wandb_takes_is_taken(config: dict[str, Any]) -> None:
    assert config_fault(config) is None


@pytest.mark.parametrize(("config", "fault"), REFUSED, ids=[fault for _, fault in REFUSED])
def test_what_wandb_refuses_is_refused_with_the_path_to_it(config: Any, fault: str) -> None:
    for function in (wandb_init, wandb_config):
        with pytest.raises(SettingError) as caught:
            function(config=config)
        assert fault in str(caught.value)


@pytest.mark.usefixtures("offline")
def test_wandbs_own_client_agrees() -> None:
    for config in TAKEN:
        wandb.init(config=config).finish()
    for config, _ in REFUSED:
        with pytest.raises((TypeError, AttributeError, ValueError)):
            wandb.init(config=config)


class Unreadable(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise OSError("the disk is gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


def test_a_mapping_that_holds_itself_or_cannot_be_read_is_an_error_of_its_own() -> None:
    config: dict[str, Any] = {}
    config["a"] = [config]
    assert config_fault(config) == "config contains itself, or is nested too deeply"
    assert config_fault(Unreadable()) == "config cannot be read: OSError: the disk is gone"


def test_of_two_filters_of_keys_wandb_takes_one() -> None:
    for function in (wandb_init, wandb_config):
        with pytest.raises(SettingError, match="only one of config_include_keys and config_exclude_keys"):
            function(config_include_keys=["a"], config_exclude_keys=["b"])
