"""The links in Flyte's UI."""
