"""Values as text and back, without guessing."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_wandb import SettingError
from flyte_wandb.settings._encoding import decode_value, encode_value

LOOK_ALIKES = st.sampled_from(
    ["", "true", "null", "None", "1", "1e3", "-0", "NaN", "[1]", '{"a": 1}', '"x"', "$tuple", "$dict", "\ud800", "\x00"]
)
TEXTS = st.one_of(st.text(st.characters(codec=None)), LOOK_ALIKES)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
KEYS = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner), max_leaves=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=3),
        st.dictionaries(TEXTS.map("${}".format), inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=12,
)


def same(left: object, right: object) -> bool:
    """Equal with equal types all the way down, which ``==`` does not ask: ``True == 1 == 1.0``."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return left == right


@given(VALUES)
@example({"$tuple": [1]})
@example({"$dict": [[1, 2]]})
@example({"$tuple": (), "a": {}})
@example({(1, ("a", None)): {2: [()]}, "1": True})
@example(())
@example({})
@example(-0.0)
@example(float("inf"))
@example(2**200)
def test_what_comes_out_is_what_went_in_with_its_types(value: object) -> None:
    text = encode_value(value, "config")
    assert text.isascii()
    assert same(decode_value(text), value)


def test_a_number_that_is_none_comes_back_as_one() -> None:
    assert math.isnan(decode_value(encode_value(float("nan"), "config")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("vision", '"vision"'),
        ("true", '"true"'),
        (True, "true"),
        (None, "null"),
        (["a", 1, 0.5], '["a", 1, 0.5]'),
        ({"lr": 0.1}, '{"lr": 0.1}'),
        ({"betas": (0.9, 0.999)}, '{"betas": {"$tuple": [0.9, 0.999]}}'),
        ({1: "a"}, '{"$dict": [[1, "a"]]}'),
        ({"$tuple": 1}, '{"$dict": [["$tuple", 1]]}'),
    ],
)
def test_the_text_is_json_with_marks_for_what_json_does_not_know(value: object, text: str) -> None:
    assert encode_value(value, "config") == text
    assert same(decode_value(text), value)


class Size(str, Enum):
    SMALL = "small"


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (PurePosixPath("x"), "config is PurePosixPath('x') of type pathlib"),
        ({"a": {"b": {1}}}, "config['a']['b'] is {1} of type builtins.set,"),
        ({"a": [0, (1, b"x")]}, "config['a'][1][1] is b'x' of type builtins.bytes,"),
        ({"a": 1j}, "config['a'] is 1j of type builtins.complex,"),
        ({"a": Size.SMALL}, "config['a'] is <Size.SMALL: 'small'> of type "),
        ({"a": Text("x")}, "config['a'] is 'x' of type "),
        ([OrderedDict()], "config[0] is OrderedDict() of type collections.OrderedDict,"),
        ([deque()], "config[0] is deque([]) of type collections.deque,"),
        ({b"k": 1}, "the key b'k' of config is b'k' of type builtins.bytes,"),
        ({"a": {(1, b"k"): 1}}, "the key (1, b'k') of config['a'][1] is b'k' of type builtins.bytes,"),
        ({1: {2: object}}, "config[1][2] is <class 'object'> of type builtins.type,"),
    ],
)
def test_what_cannot_travel_is_refused_with_its_place_and_type(value: object, path: str) -> None:
    with pytest.raises(SettingError) as caught:
        encode_value(value, "config")
    assert str(caught.value).startswith(path)
    assert str(caught.value).endswith("; use text, numbers, booleans, None, or lists, tuples and dicts of these")


def list_in_itself() -> object:
    value: list[object] = []
    value.append(value)
    return value


def dict_in_itself() -> object:
    value: dict[object, object] = {}
    value[1] = (value,)
    return value


def test_a_value_that_contains_itself_is_refused() -> None:
    for value in (list_in_itself(), dict_in_itself()):
        with pytest.raises(SettingError, match=r"^config contains itself, or is nested too deeply to travel"):
            encode_value(value, "config")


def test_a_value_in_two_places_does_not_contain_itself() -> None:
    both = [1]
    assert decode_value(encode_value({"a": both, "b": both}, "config")) == {"a": [1], "b": [1]}


def test_a_number_too_long_for_text_is_refused_like_anything_else_that_cannot_travel() -> None:
    with pytest.raises(SettingError, match="config"):
        encode_value({"seed": 10**5000}, "config")


@pytest.mark.parametrize("text", ["", "vision", "{", "'a'", "True"])
def test_a_text_that_was_not_written_here_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="Expecting"):
        decode_value(text)


@pytest.mark.parametrize("text", ['{"$tuple": 1}', '{"$dict": 1}', '{"$dict": [[1]]}', '{"$dict": [[[], 1]]}'])
def test_a_text_with_a_mark_that_does_not_fit_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode_value(text)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner)))
def test_json_written_by_hand_is_read_as_it_stands(value: Any) -> None:
    assert same(decode_value(json.dumps(value)), value)
