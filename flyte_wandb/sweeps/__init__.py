"""Sweeps: the decorator, and trials as actions of Flyte.

Front doors: `wandb_sweep`, `run_sweep`, `Controller` (what W&B's controller says). May import tasks and what
stands below.
"""
