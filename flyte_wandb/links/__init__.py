"""The links in Flyte's UI: one per part of the declared world, built from the same plan as the run.

Front doors: `Wandb` and `WandbSweep` (what Flyte asks), `build_task_links` (how many a task has), `build_link_to_run`
(where one leads). Nothing here asks a server or raises to Flyte. May import plans and the rooms below it.
"""
