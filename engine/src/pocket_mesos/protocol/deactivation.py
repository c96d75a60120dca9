"""What operators decide about an agent: that it gets no offers, and that it is drained.

The messages are Mesos' own, but for ``Deactivation``, which holds them together.
"""

from enum import Enum

from pocket_mesos.protocol.base import Message, printed
from pocket_mesos.protocol.mesos import DurationInfo


class DrainState(Enum):
    """How far an agent's draining is."""

    DRAINING = "DRAINING"
    """Tasks end, or their ends are not yet acknowledged."""
    DRAINED = "DRAINED"
    """Nothing is left; the agent stays as it is until it is reactivated."""


class DrainConfig(Message, frozen=True, kw_only=True):
    max_grace_period: DurationInfo | None = None
    """No task is given longer than this to end."""
    mark_gone: bool = printed(False)
    """Whether the agent leaves the cluster for good when it is drained."""


class DrainInfo(Message, frozen=True, kw_only=True):
    state: DrainState
    config: DrainConfig


class Deactivation(Message, frozen=True, kw_only=True):
    """An agent that has one gets no offers."""

    drain_info: DrainInfo | None = None
    drain_start: float | None = None
    """When the draining began, in seconds since the epoch."""

    @property
    def draining(self) -> DrainConfig | None:
        """Return how the agent is drained while that goes on."""
        if self.drain_info is None or self.drain_info.state is not DrainState.DRAINING:
            return None
        return self.drain_info.config
