"""Runs after W&B's service process has died or become silent: they lose later rows, and fail no task."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from .._logging import log_once
from ._agent_room import own_client

if TYPE_CHECKING:
    import wandb

_LOG: Final = logging.getLogger("flyte_wandb")

_ABANDONED: Final[WeakSet[Any]] = WeakSet()
"""The connections to services that nobody waits for any more."""

_UNREAD_BYTES: Final = 2**28
"""What may wait for a silent service to read it: more than runs log in the time for which they are waited for."""


def tolerate_dead_service(run: wandb.Run) -> None:
    """Have a run drop what is logged, with one message, once the service process behind it is gone.

    A run sends everything (rows, summary, config, files) through one method of its interface, and asks everything
    through another. Without this, the next `log` fails the task.
    """
    from wandb.sdk.mailbox import MailboxClosedError

    interface: Any = run._interface
    if interface is None:  # a disabled run
        return
    publish, deliver = interface._publish, interface._deliver

    def publish_while_it_lives(record: Any, **options: Any) -> None:
        try:
            publish(record, **options)
        except Exception as error:
            if not service_died(error):
                raise
            log_dead_service(run)

    def deliver_while_it_lives(record: Any) -> Any:
        try:
            return deliver(record)
        except ConnectionError as error:
            # W&B's own threads know this one, and end without a traceback on the terminal.
            raise MailboxClosedError from error

    interface._publish, interface._deliver = publish_while_it_lives, deliver_while_it_lives


def log_dead_service(run: wandb.Run) -> None:
    """Log once that the service process behind a run is gone, and what is left of the run."""
    if service_behind(run) in _ABANDONED:  # `abandon_service` has logged it
        return
    log_once(
        f"W&B's service process has died: what {run.id!r} logs from now on is lost, and so is its end; what "
        f"reached the disk is in {run.settings.sync_dir}, to be uploaded with `wandb sync`",
        logging.ERROR,
    )


def abandon_service(run: wandb.Run | None = None) -> None:
    """End every wait for W&B's service, as if it had died. Callable from any thread.

    For a service that does not answer (stopped, swapping), or if there is no time for its answer. It still receives
    what was sent, and writes that to the disk as soon as it can. Only the wait for its answers ends.

    Args:
        run: A run behind the service, or None for the service that the next run would use.
    """
    client = service_behind(run)
    if client is None or client in _ABANDONED:
        return
    _ABANDONED.add(client)
    _LOG.error(
        "W&B's service did not answer in time: %s",
        f"the run {run.id!r} ends without it; its log is in {run.settings.sync_dir}" if run else "another is started",
    )
    try:
        own_client().asyncer.run_soon(partial(_give_up_answers, client))
    except Exception:
        _LOG.debug("the wait for W&B's service could not be ended", exc_info=True)


async def _give_up_answers(client: Any) -> None:
    """Release who waits for an answer, and who waits for room in the socket of a service that reads nothing."""
    # The socket of a silent service is full, and W&B's client waits for room in it before it waits for an answer.
    transport = client._writer.transport
    transport.set_write_buffer_limits(high=_UNREAD_BYTES)
    with suppress(AssertionError):  # nobody waits for room
        transport.get_protocol().resume_writing()
    client._mailbox.close()


def service_died(error: BaseException) -> bool:
    """Whether an error means that W&B's service process is gone."""
    # Which one depends on the moment: when a request is sent, while it waits, or after W&B's own threads have ended.
    from wandb.sdk.lib.asyncio_manager import AlreadyJoinedError
    from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

    return isinstance(error, (ConnectionError, HandleAbandonedError, MailboxClosedError, AlreadyJoinedError))


def run_late_teardown_hooks(run: wandb.Run) -> None:
    """Close what a run still holds after its finish has failed half-way: otherwise its log stays open."""
    from wandb.sdk.wandb_run import TeardownStage

    for hook in run._teardown_hooks:
        if hook.stage == TeardownStage.LATE:
            hook.call()
    run._teardown_hooks = []


def service_behind(run: wandb.Run | None = None) -> Any:
    """Return the service process behind a run, or the one that the next run will use, or None."""
    return getattr(run._interface if run else own_client()._connection, "_client", None)


def renew_service(dead: Any, exit_code: int = 1) -> None:
    """Have the next run start another service process, unless that was done since.

    Runs that are opened or finished at the same time all find the service dead, and the first of them renews it.

    Args:
        dead: The `service_behind` the run, or the opening, that failed.
        exit_code: With which a silent service ends the runs that it still has, once it reads that.
    """
    client = own_client()
    with client._connection_lock:  # W&B's own, under which it starts a service
        connection = client._connection
        if connection is None or (dead and connection._client is not dead):
            return
        try:
            if connection._client in _ABANDONED:
                _leave_alone(connection, exit_code)
            else:
                connection.teardown(1)  # also unregisters W&B's exit hook, which would fail
        except Exception:
            _LOG.debug("the connection to the dead service is gone, too", exc_info=True)
        client._connection = None


def _leave_alone(connection: Any, exit_code: int) -> None:
    """Drop the connection to a silent service. W&B would wait for its end, here and when the process exits."""
    from wandb.sdk.lib.service import service_token

    if connection._cleanup:
        connection._cleanup()  # W&B's exit hook, which waits for the service
    # Else the next run, and every child process, would use the silent service.
    service_token.clear_service_in_env()
    connection._finalizer.close()
    own_client().asyncer.run_soon(partial(_dismiss, connection._client, exit_code))


async def _dismiss(client: Any, exit_code: int) -> None:
    import wandb.proto.wandb_server_pb2 as pb

    messages: Any = pb  # wandb's stubs do not name them
    teardown = messages.ServerInformTeardownRequest(exit_code=exit_code)
    await client.publish(messages.ServerRequest(inform_teardown=teardown))
    client._writer.close()  # after what it has not read yet
