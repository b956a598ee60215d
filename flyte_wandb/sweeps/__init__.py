"""Sweeps: the decorator, and trials as actions of Flyte.

Front doors: `wandb_sweep`, `run_sweep`, `Controller` (requests to W&B's controller). May import tasks and
the rooms below.
"""
