"""What becomes of a run's data: fetched, kept, uploaded, shown.

`downloads/` brings runs home from a server, `offline/` keeps and uploads offline runs, `report/` draws the tab in
Flyte's UI. Shared by them: threads that can be stopped (`_workers`), progress, and safe file names. May import links,
runs and the rooms below them.
"""
