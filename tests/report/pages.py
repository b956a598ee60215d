"""A training that looks like one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator


def training(steps: int) -> Iterator[dict[str, float]]:
    """Yield the rows of a training with noise, a spike and a hole; the same every time."""
    noise = random.Random(1)
    for step in range(steps):
        progress = step / steps
        hole = steps // 2 <= step < steps * 6 // 10
        row = {
            "train/loss": 2.3 * math.exp(-4 * progress) + 0.08 + 0.06 * noise.random(),
            "train/grad_norm": abs(noise.gauss(1, 0.25)) + (24 if step == steps * 3 // 4 else 0),
            "train/lr": 3e-4 * min(1, step / (0.1 * steps)) * (0.5 + 0.5 * math.cos(math.pi * progress)),
            "tokens": step * 524_288,
            "epoch": step * 12 // steps,
        }
        if step % 10 == 0:
            row["val/accuracy"] = 0.93 - 0.8 * math.exp(-5 * progress) + 0.01 * noise.random()
            row["val/perplexity"] = math.nan if hole else 40 * math.exp(-3 * progress) + 5
        yield row
