"""What the agent's core wants done. Actions are carried out in order."""

from dataclasses import dataclass

from pocket_mesos.agent.events import TimerKey
from pocket_mesos.containerizer.config import ContainerConfig, Limits
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import MasterInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Open the stream to the leader with this call; FromMaster or LinkLost follow."""

    leader: MasterInfo
    call: link.Register | link.Reregister


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """Drop the stream to the master, if there is one; no LinkLost follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMaster:
    """Make a call on the current stream."""

    call: link.Call


@dataclass(frozen=True, slots=True, kw_only=True)
class SendExecutor:
    """Put an event on an executor's stream."""

    container_id: str
    event: executor_api.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseExecutor:
    """End an executor's stream after what was sent."""

    container_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchContainer:
    """Start a container; ContainerLaunched or ContainerLaunchFailed follow."""

    config: ContainerConfig
    pid_path: str | None
    """Where to checkpoint its process before anything of the executor has run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateContainer:
    """Change a container's limits."""

    container_id: str
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyContainer:
    """End a container; ContainerTerminated follows, or ContainerLaunchFailed."""

    container_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write a file whole or not at all, making its folders."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendLine:
    """Add a line to a file, making it and its folders; done when it is with the kernel."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeLink:
    """Let a symbolic link point to a folder, whatever it was before."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile:
    """Remove a file or link, if it is there."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectGarbage:
    """Remove a folder once it has lain untouched for gc_delay."""

    path: str
    ended: bool = True
    """Whether that begins now; otherwise it began when the folder was last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """Tell TimerFired(key) after some seconds, in place of an earlier timer of that key."""

    key: TimerKey
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTimer:
    """Forget a timer, if it runs."""

    key: TimerKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """End the process."""

    status: int
    message: str | None = None


Action = (
    Connect
    | Disconnect
    | SendMaster
    | SendExecutor
    | CloseExecutor
    | LaunchContainer
    | UpdateContainer
    | DestroyContainer
    | WriteFile
    | AppendLine
    | MakeLink
    | RemoveFile
    | CollectGarbage
    | StartTimer
    | StopTimer
    | Exit
)
