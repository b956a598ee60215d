"""`python -m flyte_wandb`: the command line, where the script is not on the PATH."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main(prog_name="python -m flyte_wandb")
