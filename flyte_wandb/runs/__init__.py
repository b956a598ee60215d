"""The runs that are open in this process: opened, lent, finished, told of SIGTERM and Stop.

Front doors: `OPEN_RUNS.acquire` and `release`, `get_wandb_run` (what user code asks), `current_call` (what surrounds a
piece of code), `build_opening` (from a plan to one call of `wandb.init`). May import plans and what stands below it.
"""
