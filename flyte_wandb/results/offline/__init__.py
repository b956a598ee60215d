"""Offline runs come home: kept in Flyte's storage when their task ends, and uploaded to W&B later.

Front doors: `keep_offline_run` (in the task), `sync_runs` (what `flyte-wandb sync` and `sync_wandb_runs` do).
"""
