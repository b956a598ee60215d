"""Sweeps: the decorator, and trials as actions of Flyte."""
