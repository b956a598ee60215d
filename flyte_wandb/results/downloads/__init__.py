"""Runs and sweeps fetched from a server into a folder or into Flyte's storage: whole, in parallel, resumable.

Front doors: `run_download` (one job), `download_after_task` (`download_logs=True`), the public `download_wandb_*`.
"""
