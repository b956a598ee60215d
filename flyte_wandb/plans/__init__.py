"""From a request to a plan: which rank writes to which run, under which id, in which group, and where it lives.

Front doors: `build_task_request` and `build_link_request` (the question), `plan` (the answer), `run_place` (server,
entity and project of the run), `world_requests` (every rank of a declared world). Pure but for reading the environment.
May import settings, plugins, wandb_client and the ground floor.
"""
