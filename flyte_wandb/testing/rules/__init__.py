"""Rules of W&B that need no state: limits, names, and which parameters a sweep tries."""
