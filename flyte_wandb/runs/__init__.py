"""The open runs of this process: opening, sharing, finishing, SIGTERM and Stop.

Front doors: `OPEN_RUNS.acquire` and `release`, `get_wandb_run` (for user code), `current_call` (the call around a piece
of code), `build_opening` (from a plan to one call of `wandb.init`). May import plans and the rooms below it.
"""
