"""The one package that imports wandb, and the one place where its process-wide state is touched."""
