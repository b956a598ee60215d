"""A fixed small part of what `make fuzz` does for minutes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.targets import TARGETS

FEW = settings(max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=[*HealthCheck])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.usefixtures("clean_client")
def test_bytes_from_elsewhere_end_in_an_outcome(target: str) -> None:
    FEW(TARGETS[target])()
