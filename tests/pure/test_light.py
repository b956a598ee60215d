"""What happens once and is waited for, by threads that come before and after."""

from __future__ import annotations

import threading

from flyte_wandb._light import Latch


def test_everybody_who_waits_goes_on_once_it_is_set() -> None:
    latch, passed = Latch(), []
    threads = [threading.Thread(target=lambda: passed.append(latch.wait(60.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert not latch.is_set()
    latch.set()
    latch.set()
    for thread in threads:
        thread.join(60.0)
    assert passed == [True] * 8
    assert latch.is_set()
    assert latch.wait()


def test_who_waits_in_vain_is_told_so() -> None:
    latch = Latch()
    assert not latch.wait(0.01)
    assert not latch.wait(-1.0)
    assert not latch.is_set()
