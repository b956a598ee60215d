"""Hypothesis as the suites of the pure layer use it."""

from hypothesis import settings

# A deadline per example measures the machine, not the code.
settings.register_profile("pure", deadline=None)
settings.load_profile("pure")
