"""Finding plugins, asking them, and who answered.

Front doors: `get_manager` (every installed plugin, loaded once a process), `StrategyManager.decide` and `ask` (one
decision, checked, with its author), `write_plugins` and `check_plugins` (the submitter's plugins against the
container's). May import the contract and the ground floor.
"""
