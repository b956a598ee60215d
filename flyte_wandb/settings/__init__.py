"""What users may set: names, checks, texts in Flyte's context, and which place wins.

Front doors: `check_settings` (arguments of a decorator), `read_settings` and `write_settings` (Flyte's context),
`merge_settings` (all places into one `Settings`). May import plugins, wandb_client and the ground floor.
"""
