"""Decorated tasks: the decorator, and what happens around a call.

Front doors: `wandb_init`, `call_sync` and `call_async` (plan, open, call, finish), `open_run_for` and `close_run_for`,
`preview`. `_flyte_task` is the one module that touches Flyte's task templates. May import results and the rooms
below.
"""
