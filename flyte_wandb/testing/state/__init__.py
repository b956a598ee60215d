"""State: runs, sweeps, artifacts and files, how requests change them, and the frozen records that tests see."""
