"""A model of Lightning, as small as one can be."""

from __future__ import annotations

from typing import Any

import torch
from lightning import LightningModule


class Model(LightningModule):  # type: ignore[misc]
    def __init__(self, width: int, fails: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch: Any, _: int) -> Any:
        if self.hparams["fails"]:
            raise ValueError("the user's own")
        loss = self.layer(batch).square().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("accuracy", self.layer(batch).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)
