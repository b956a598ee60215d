"""Every private name of wandb that this package touches, what it is for, and what happens where it is missing.

W&B's public functions assume one run for one process. This package opens, lends and finishes several at once, beside
W&B's own agent, and survives the death of W&B's service process; there is no public way for that. When a new wandb is
out, `missing_private_names` says which of these it no longer has: mend the module that is named, or say here why the
name is not needed any more.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateName:
    """One private name of wandb.

    Attributes:
        module: The module of wandb that has it.
        name: The name in the module; for an attribute of a class, ``Class.attribute``.
        used_in: The modules of this room that touch it.
        purpose: What it is for.
        without: What happens where wandb does not have it.
        since: The first wandb release that has it, where `without` is harmless.
    """

    module: str
    name: str
    used_in: tuple[str, ...]
    purpose: str
    without: str
    since: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether the installed wandb has it. Imports its module.

        An attribute that a class sets on its instances only is looked for in the class's source.
        """
        try:
            holder = import_module(self.module)
            *owners, last = self.name.split(".")
            for owner in owners:
                holder = getattr(holder, owner)
        except (ImportError, AttributeError):
            return False
        # A field of `wandb.Settings`, which pydantic makes, is no attribute of the class.
        return hasattr(holder, last) or last in getattr(holder, "model_fields", ()) or _sets_attribute(holder, last)


def _sets_attribute(owner: object, name: str) -> bool:
    if not inspect.isclass(owner):
        return False
    return any(f"self.{name}" in inspect.getsource(base) for base in owner.__mro__ if base.__module__ != "builtins")


def missing_private_names() -> Iterator[PrivateName]:
    """Yield the private names that the installed wandb lacks. Imports most of wandb."""
    return (private for private in PRIVATE_NAMES if not private.is_there)


_SETUP: Final = "wandb.sdk.wandb_setup"
_SETTINGS: Final = "wandb.sdk.wandb_settings"

PRIVATE_NAMES: Final = (
    PrivateName(
        module=_SETUP,
        name="_singleton",
        used_in=("_agent_room",),
        purpose="Exchanges the client that wandb's functions find, so that an agent ends its own and not ours.",
        without="`wandb.agent` and `wandb.teardown` end every run of this process.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._pid",
        used_in=("_agent_room",),
        purpose="Tells this process's client from that of the process which has forked it, without W&B's lock.",
        without="No run is opened.",
    ),
    PrivateName(
        module=_SETUP,
        name="_singleton_lock",
        used_in=("_agent_room",),
        purpose="Guards the exchange against a thread in which wandb makes its client.",
        without="Two threads can see two clients.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._settings_environ",
        used_in=("_agent_room",),
        purpose="Keeps the client from warning with each run that W&B's variables have changed since its start.",
        without="One warning for each run that is opened beside an agent.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._settings",
        used_in=("_configuration",),
        purpose="Has the client load its settings again, without the variables that it does not take.",
        without="An offline run is opened with half of what W&B's variables say.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._teardown",
        used_in=("_agent_room", "_owned_runs"),
        purpose="Ends the client that an agent has left behind; keeps `wandb.teardown` from ending runs of tasks.",
        without="A service process of the agent's outlives it; user code's `wandb.teardown` ends the task's run.",
    ),
    *(
        PrivateName(
            module=_SETUP,
            name=f"_WandbSetup.{name}",
            used_in=("_owned_runs",),
            purpose="Has `wandb.init` hand out, or not, a run that user code has finished before its task ends.",
            without="`wandb.init` after `wandb.finish` hands out the task's run again.",
        )
        for name in ("add_active_run", "remove_active_run", "finish_all_active_runs")
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="Run._finish",
        used_in=("_owned_runs",),
        purpose="`with run:` calls it instead of `finish`.",
        without="`with wandb.init():` in a task ends the task's run.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._connection",
        used_in=("_dead_service", "_agent_room", "_head_start"),
        purpose="Finds the connection to the service process, to drop a dead one, to start one early, or never again.",
        without="After the service process has died, no run of this process opens any more.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup._connection_lock",
        used_in=("_dead_service", "_agent_room"),
        purpose="Has one of several openings renew the dead service, and a client end after the start of its service.",
        without="Service processes are started that nobody uses, and stay until the process ends.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup.ensure_service",
        used_in=("_agent_room", "_head_start"),
        purpose="Starts the service of our client before an agent's client could start one and end it, and early.",
        without="An agent ends the service process of our runs; the first run opens 0.1 s later.",
    ),
    PrivateName(
        module=_SETUP,
        name="_WandbSetup.assert_service",
        used_in=("_waiting",),
        purpose="Reaches the service process that keeps the id of a run that was not opened.",
        without="A retry in the same process is refused: the run's id stays in use.",
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="Run._interface",
        used_in=("_dead_service", "_packages", "_secondary_config"),
        purpose="Reaches the methods through which a run tells its service process everything.",
        without="If the service process of a run has died, the next `log` fails the task.",
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="Run._teardown_hooks",
        used_in=("_dead_service",),
        purpose="Closes what a run still holds if its finish broke off: its console capture and its own log.",
        without="Console output of later tasks goes to the dead run.",
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="Run._settings",
        used_in=("_run",),
        purpose="Reads a setting of a run without a copy of all of them.",
        without="0.4 ms more for each run.",
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="Run._config",
        used_in=("_pickling",),
        purpose="Reads the configuration of a run without the contexts of its log.",
        without="0.02 ms more for each run.",
    ),
    PrivateName(
        module="wandb.sdk.wandb_config",
        name="Config._set_settings",
        used_in=("_run",),
        purpose="Has the configuration of a resumed or shared run take another value for a key.",
        without="Another attempt or task that sets a key again fails.",
    ),
    *(
        PrivateName(
            module="wandb.sdk.wandb_config",
            name=f"Config.{name}",
            used_in=("_secondary_config",),
            purpose="Has a writer that has joined a run read its configuration without sending it.",
            without="A secondary sets back what the primary has changed in the configuration meanwhile.",
        )
        for name in ("_update", "_as_dict", "_callback", "_set_callback")
    ),
    PrivateName(
        module="wandb.sdk.wandb_run",
        name="TeardownStage",
        used_in=("_dead_service",),
        purpose="Tells the hooks that run before the end of a run from those after it.",
        without="As `Run._teardown_hooks`.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface",
        name="InterfaceBase._publish",
        used_in=("_dead_service", "_secondary_config"),
        purpose="Everything that a run tells goes through it: rows, summary, config, files.",
        without="If the service process of a run has died, the next `log` fails the task.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface_shared",
        name="InterfaceShared._deliver",
        used_in=("_dead_service", "_waiting"),
        purpose="Everything that a run asks goes through it; an opening asks what the server has answered last.",
        without="W&B's own threads print tracebacks after the death of the service process.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface_sock",
        name="InterfaceSock",
        used_in=("_waiting",),
        purpose="Tells the service process that a run which was not opened has ended.",
        without="A retry in the same process is refused: the run's id stays in use.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface_sock",
        name="InterfaceSock._client",
        used_in=("_dead_service",),
        purpose="Tells which service process is behind a run.",
        without="Every failure renews the service process, also one that lives.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_connection",
        name="ServiceConnection._client",
        used_in=("_dead_service", "_waiting"),
        purpose="Tells which service process the next run will use.",
        without="As `InterfaceSock._client`.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_connection",
        name="ServiceConnection._cleanup",
        used_in=("_agent_room", "_dead_service"),
        purpose="Takes W&B's exit hook back: in a forked child, where it fails, and where the service is silent.",
        without="A forked child prints a traceback when it ends, and a silent service keeps its process from ending.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_client",
        name="ServiceClient._writer",
        used_in=("_dead_service",),
        purpose="Releases who waits until a silent service reads what it is sent.",
        without="As `ServiceClient._mailbox`, where much was logged.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_client",
        name="ServiceClient._mailbox",
        used_in=("_dead_service",),
        purpose="Releases who waits for the answer of a silent service.",
        without="A stopped or swapping service process keeps a task from ending.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_connection",
        name="ServiceConnection._finalizer",
        used_in=("_dead_service",),
        purpose="Ends W&B's thread that tells a silent service which readers are done.",
        without="That thread ends with a traceback on the terminal.",
    ),
    PrivateName(
        module="wandb.proto.wandb_server_pb2",
        name="ServerRequest",
        used_in=("_dead_service",),
        purpose="Has a silent service end when it wakes up, without waiting for that.",
        without="It ends with the process.",
    ),
    PrivateName(
        module="wandb.proto.wandb_server_pb2",
        name="ServerInformTeardownRequest",
        used_in=("_dead_service",),
        purpose="As `ServerRequest`.",
        without="As `ServerRequest`.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_token",
        name="clear_service_in_env",
        used_in=("_dead_service",),
        purpose="Has the next run start a service process where this one's is silent.",
        without="As for `ServiceClient._mailbox`: the next run waits for the silent service, too.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_connection",
        name="ServiceConnection._asyncer",
        used_in=("_waiting",),
        purpose="Lets `InterfaceSock` talk to the service process of a run that was not opened.",
        without="As `InterfaceSock`.",
    ),
    PrivateName(
        module="wandb.sdk.lib.service.service_connection",
        name="ServiceConnection.inform_finish",
        used_in=("_waiting",),
        purpose="Frees the id of a run that was not opened.",
        without="A retry in the same process is refused: the run's id stays in use.",
    ),
    PrivateName(
        module="wandb.sdk.lib.asyncio_manager",
        name="AlreadyJoinedError",
        used_in=("_dead_service",),
        purpose="One of the errors that say that the service process is gone.",
        without="If the service process of a task has died, the task fails.",
    ),
    PrivateName(
        module="wandb.sdk.mailbox",
        name="HandleAbandonedError",
        used_in=("_dead_service",),
        purpose="One of the errors that say that the service process is gone.",
        without="If the service process of a task has died, the task fails.",
    ),
    PrivateName(
        module="wandb.sdk.mailbox",
        name="MailboxClosedError",
        used_in=("_dead_service",),
        purpose="The error that W&B's own threads take for the end of the service process.",
        without="W&B's own threads print tracebacks after the death of the service process.",
    ),
    PrivateName(
        module="wandb.sdk.mailbox.mailbox_handle",
        name="ServerResponseError",
        used_in=("_start_point",),
        purpose="Distinguishes an id that another task's run uses from an id that was not opened.",
        without="The run of another task of this process is ended.",
    ),
    PrivateName(
        module="wandb.sdk.launch.inputs.internal",
        name="StagedLaunchInputs",
        used_in=("_head_start",),
        purpose="Loads what W&B loads with the first run of a process while its service starts.",
        without="The first run of a process opens 0.05 s later.",
    ),
    PrivateName(
        module="wandb.sdk.lib.module",
        name="unset_globals",
        used_in=("_globals",),
        purpose="Makes `wandb.log` and its like say that there is no run. Only W&B can make these placeholders.",
        without="`wandb.log` writes to a run that has ended.",
    ),
    PrivateName(
        module="wandb.sdk.lib.wbauth",
        name="check_api_key",
        used_in=("_configuration",),
        purpose="Says what is wrong with a malformed key without showing it. No public function checks one.",
        without="A malformed key is an error of the server's, without the reason.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.stop_fn",
        used_in=("_init",),
        purpose="W&B calls it when a user stops a run in W&B's UI.",
        without="Stop in W&B's UI ends nothing.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_transaction_log_flush_interval",
        used_in=("_init",),
        purpose="Has the log on the disk written every second.",
        without="A killed process loses up to 15 seconds of its rows.",
        since="0.30",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_update_finish_state",
        used_in=("_delivery",),
        purpose="Tells whether the end of a writer is that of its run: only the owner of a shared run says so.",
        without="Nobody can say whether W&B has all rows of a run. The log says so, and the task continues.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_save_requirements",
        used_in=("_packages",),
        purpose="Has W&B leave the list of installed packages to us, who read it once for all runs of a process.",
        without="W&B reads it for each run.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface",
        name="InterfaceBase.publish_python_packages",
        used_in=("_packages",),
        purpose="Makes the request with the list of installed packages, which W&B keeps as `requirements.txt`.",
        without="W&B reads it for each run.",
    ),
    PrivateName(
        module="wandb.sdk.interface.interface",
        name="InterfaceBase._publish_python_packages",
        used_in=("_packages",),
        purpose="Sends that request for each run.",
        without="W&B reads the list for each run.",
    ),
    PrivateName(
        module="wandb.sdk.lib.gitlib",
        name="GitRepo",
        used_in=("_git",),
        purpose="Asks git what W&B keeps of the checkout, as W&B does for each run.",
        without="W&B asks for each run.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_disable_machine_info",
        used_in=("_git",),
        purpose="Tells whether a run is to have nothing of the machine, and so nothing of the checkout.",
        without="Nothing is lost: no run can be set so.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_disable_viewer",
        used_in=("_init",),
        purpose="Lets a writer join a run without asking for its key's user: one request less for each of many ranks.",
        without="One request more for each writer that joins.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_primary",
        used_in=("_opening",),
        purpose="Tells the owner of a shared run from those who join it. W&B documents it for shared mode.",
        without="No run of several processes is opened.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_disable_stats",
        used_in=("_sweeps", "_machine_probe"),
        purpose="Opens the run of a trial that did not start without watching the machine: it ends at once. Tells "
        "whether the machine is probed.",
        without="A moment of system metrics in a run that failed before it began.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_disable_meta",
        used_in=("_machine_probe",),
        purpose="Tells whether the machine is probed.",
        without="A run that is not probed and takes less than a second waits until it is a second old.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_disable_machine_info",
        used_in=("_machine_probe",),
        purpose="Tells whether the machine is probed.",
        without="As `x_disable_meta`.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_graphql_retry_max",
        used_in=("_reader",),
        purpose="Bounds how often a request is made again.",
        without="A download waits for a server that is gone for as long as W&B's client does.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_graphql_retry_wait_min_seconds",
        used_in=("_reader",),
        purpose="The shortest wait before a request is made again.",
        without="As `x_graphql_retry_max`.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_graphql_retry_wait_max_seconds",
        used_in=("_reader",),
        purpose="The longest wait before a request is made again.",
        without="As `x_graphql_retry_max`.",
    ),
    PrivateName(
        module=_SETTINGS,
        name="Settings.x_extra_http_headers",
        used_in=("_reader",),
        purpose="Sends with files the headers that W&B's client sends with its other requests.",
        without="Files behind a proxy that wants such a header cannot be fetched.",
    ),
    PrivateName(
        module="wandb.apis.public.api",
        name="Api._service_api",
        used_in=("_reader", "_api"),
        purpose="Bounds and spreads a download's requests; sends what an agent asks, which has no public way.",
        without="`run_sweep` cannot ask for trials; downloads read ten runs at a time, within W&B's own bounds.",
    ),
    PrivateName(
        module="wandb.apis.public.service_api",
        name="ServiceApi",
        used_in=("_reader",),
        purpose="Makes such a connection.",
        without="As `Api._service_api`.",
    ),
    PrivateName(
        module="wandb.apis.public.service_api",
        name="ServiceApi._get_api_session",
        used_in=("_reader",),
        purpose="Logs a connection in while our client is the one that W&B's functions find.",
        without="Beside an agent, a download uses the agent's login.",
    ),
    PrivateName(
        module="wandb.apis.public.service_api",
        name="ServiceApi._settings",
        used_in=("_reader",),
        purpose="Reads address, proxies and login of the API, with which files are fetched.",
        without="No file can be fetched.",
    ),
    PrivateName(
        module="wandb.sdk",
        name="wandb_settings",
        used_in=("_setting_names",),
        purpose="The file in which `wandb.Settings` lists its fields, read without importing wandb.",
        without="W&B refuses a misspelt field of `settings=` when the run is opened. The decorator does not refuse it.",
    ),
    PrivateName(
        module="wandb.proto.wandb_internal_pb2",
        name="Record",
        used_in=("_log_file", "_waiting", "_secondary_config"),
        purpose="Reads the log of a run on the disk. wandb 0.31 has no reader in Python. A message to the service.",
        without="Offline runs cannot be checked before they are uploaded, and reports have no plots.",
    ),
)
"""All of them. `tests/structure/test_private_names.py` holds the sources against it."""
