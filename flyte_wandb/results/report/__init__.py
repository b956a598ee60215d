"""The tab "Weights & Biases" in a task's report in Flyte."""
