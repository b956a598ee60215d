"""The tab "Weights & Biases" in a task's report in Flyte: plan, outcome and plots of a run, from its log on the disk.

Front door: `add_tab`.
"""
