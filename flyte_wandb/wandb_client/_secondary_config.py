"""The configuration of a writer that has joined a run: sent once, so that its end sets nothing back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb


def send_config_once(run: wandb.Run, of_owner: Mapping[str, Any]) -> None:
    """Have W&B's client send no key again that a writer has opened a run with.

    A client sends its whole configuration with each change and once more at the end (wandb 0.31), and on the server
    the last writer of a key wins. What the code of this writer sets later is sent as ever.

    Args:
        run: A run that was just opened, and that another process owns.
        of_owner: Configuration that the owner sends, to be read here.
    """
    import wandb

    config: Any = run.config
    # An artifact is no part of the opening: the client has yet to send it.
    sent = {key for key, value in config.items() if not isinstance(value, wandb.Artifact)}
    _forget_keys(run, sent)
    config._update(of_owner, allow_val_change=True)
    config._set_callback(_without_repeats(config, {*sent, *of_owner}))


def _forget_keys(run: wandb.Run, keys: set[str]) -> None:
    """Have the service process of W&B drop keys of what it sends. The log of the run on the disk keeps them."""
    from wandb.proto import wandb_internal_pb2

    interface: Any = run._interface
    if interface is None or not keys:
        return
    messages: Any = wandb_internal_pb2  # its classes are made when it is imported
    remove = [messages.ConfigItem(key=key) for key in sorted(keys)]
    interface._publish(
        messages.Record(config=messages.ConfigRecord(remove=remove), control=messages.Control(local=True))
    )


def _without_repeats(config: Any, known: set[str]) -> Callable[..., None]:
    """Return what W&B calls with each change of a configuration, made to leave out `known` keys that did not change.

    W&B itself sends all keys when it records an internal type, such as that of a custom chart.
    """
    send = config._callback

    def send_changes(
        key: str | tuple[str, ...] | None = None, val: Any = None, data: Mapping[str, Any] | None = None
    ) -> None:
        if data is config._as_dict():
            data = {name: value for name, value in data.items() if name not in known}
        else:
            known.difference_update(data or (), () if key is None else (key,))
        send(key=key, val=val, data=data)

    return send_changes
