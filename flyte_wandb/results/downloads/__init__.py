"""Fetching what W&B keeps of runs and sweeps: whole, several requests at a time, and again where a call was cut off."""
