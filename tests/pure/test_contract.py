"""The data of the contract: what one hook is given, no other hook has changed."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

import flyte_wandb_hookspecs
from flyte_wandb_hookspecs import (
    Group,
    ParentRun,
    Part,
    Plan,
    Request,
    Role,
    Settings,
    Step,
    Strategy,
    Topology,
    Trial,
)

STEP = Step(hook="compute_run_id", value="r1-a0", plugin="builtin")
EXAMPLES: list[Any] = [
    Group(name="g"),
    ParentRun(run_id="r1-a0"),
    Part(),
    Plan(part=Part(), role=Role.SOLO, run_id="r1-a0", group=None, steps=(STEP,)),
    Request(run_name="r1", action_name="a0"),
    Settings(),
    STEP,
    Strategy(kind="run_mode", name="solo", summary="one run"),
    Topology(),
    Trial(run_id="x1", sweep_id="s1"),
]
of_every_kind = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)


def test_the_examples_are_of_every_class_of_data() -> None:
    public = (getattr(flyte_wandb_hookspecs, name) for name in flyte_wandb_hookspecs.__all__)
    assert {type(example) for example in EXAMPLES} == {
        one for one in public if inspect.isclass(one) and dataclasses.is_dataclass(one)
    }


@of_every_kind
def test_no_hook_can_change_what_the_next_one_is_given(example: Any) -> None:
    for field in dataclasses.fields(example):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(example, field.name, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(example, field.name)
    # Neither can it leave something for the next one beside the fields.
    assert not hasattr(example, "__dict__")


@pytest.mark.parametrize(
    "example",
    [example for example in EXAMPLES if not isinstance(example, Settings | Request | Trial)],  # these hold mappings
    ids=lambda example: type(example).__name__,
)
def test_equal_data_count_once_in_a_set(example: Any) -> None:
    assert len({example, dataclasses.replace(example)}) == 1
