"""Offline runs come home: kept in Flyte's storage when their task ends, and uploaded to W&B later."""

from ._keep import keep_offline_run

__all__ = ["keep_offline_run"]
