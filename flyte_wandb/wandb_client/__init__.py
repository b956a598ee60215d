"""The one room that imports wandb, and the one place where its process-wide state is touched.

Front doors: `open_run` and `close_run`, `effective_mode` and `own_settings` (the client's own configuration), `Reader`
(what a server has), `upload_folders` (offline runs), `allow_agents` (`wandb.agent` beside our runs). `_private` lists
every private name of wandb that is touched. May import the ground floor only, and wandb inside of functions only.
"""
