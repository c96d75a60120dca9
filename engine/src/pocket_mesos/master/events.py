"""What happens to the master: the inputs of its core.

Every event is a value. Streams are known by ids that the edge makes; time comes along as ``now``.
"""

import msgspec

from pocket_mesos.protocol import link, scheduler
from pocket_mesos.protocol.deactivation import DrainConfig
from pocket_mesos.protocol.sharing import QuotaConfig, QuotaRequest, WeightInfo


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An input."""


class Subscribed(Event, frozen=True, kw_only=True):
    """A scheduler opened an event stream; the call has passed ``validation.call``."""

    call: scheduler.Call
    """Names the principal that the scheduler has authenticated as, if it has."""
    stream_id: str


class SchedulerCalled(Event, frozen=True, kw_only=True):
    """A scheduler made another call; it has passed ``validation.call``."""

    call: scheduler.Call
    stream_id: str | None
    principal: str | None = None
    """Whom the scheduler has authenticated as."""


class SchedulerDisconnected(Event, frozen=True, kw_only=True):
    """A scheduler's event stream ended."""

    stream_id: str


class AgentSubscribed(Event, frozen=True, kw_only=True):
    """An agent opened a link to register (again)."""

    call: link.Register | link.Reregister
    stream_id: str
    principal: str | None = None
    """Whom the agent has authenticated as."""


class AgentCalled(Event, frozen=True, kw_only=True):
    """An agent made another call on its link."""

    call: link.Call
    stream_id: str


class AgentDisconnected(Event, frozen=True, kw_only=True):
    """An agent's link ended."""

    stream_id: str


class OperatorSubscribed(Event, frozen=True, kw_only=True):
    """An operator opened an event stream."""

    stream_id: str
    principal: str | None = None
    """Whom the operator has authenticated as."""


class OperatorUnsubscribed(Event, frozen=True, kw_only=True):
    """An operator's event stream ended."""

    stream_id: str


class TeardownRequested(Event, frozen=True, kw_only=True):
    """An operator asked to remove a framework."""

    framework_id: str
    principal: str | None = None
    """Whom the operator has authenticated as."""


class AgentDecided(Event, frozen=True, kw_only=True):
    """An operator decided something about an agent."""

    agent_id: str
    principal: str | None = None
    """Whom the operator has authenticated as."""


class DeactivateRequested(AgentDecided, frozen=True, kw_only=True):
    """The agent is to get no offers."""


class ReactivateRequested(AgentDecided, frozen=True, kw_only=True):
    """It is to get offers again."""


class DrainRequested(AgentDecided, frozen=True, kw_only=True):
    """Its tasks are to end."""

    config: DrainConfig


class GoneRequested(AgentDecided, frozen=True, kw_only=True):
    """It is gone for good."""


class SharingDecided(Event, frozen=True, kw_only=True):
    """An operator decided how roles share the cluster."""

    principal: str | None = None
    """Whom the operator has authenticated as."""


class WeightsRequested(SharingDecided, frozen=True, kw_only=True):
    """Roles are to have these weights."""

    infos: list[WeightInfo]


class QuotaRequested(SharingDecided, frozen=True, kw_only=True):
    """Roles are to have these guarantees and limits."""

    configs: list[QuotaConfig]
    force: bool = False
    """Whether it does not matter that they can't be met as things are."""


class GuaranteeRequested(SharingDecided, frozen=True, kw_only=True):
    """A role is to have a guarantee, by the older call."""

    request: QuotaRequest


class QuotaRemovalRequested(SharingDecided, frozen=True, kw_only=True):
    """A role is to have no quota any more."""

    role: str
    where: str = ""
    """What the answer says about the request."""


class Stored(Event, frozen=True, kw_only=True):
    """What the core wanted in the registry is there, and will survive this master."""

    number: int


class AllocationDue(Event, frozen=True, kw_only=True):
    """The edge got round to the allocation that the core asked for."""


class TimerFired(Event, frozen=True, kw_only=True):
    """A timer that the core started has run out."""

    timer: "Timer"


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """What a timer is about; one that is out of date is ignored."""


class AllocationTimer(Timer, frozen=True, kw_only=True):
    """Time for the periodic allocation of everything."""


class PingTimer(Timer, frozen=True, kw_only=True):
    """Time to look whether an agent has answered, and to ping it again."""

    agent_id: str
    epoch: int


class ReregisterTimer(Timer, frozen=True, kw_only=True):
    """The agents of the registry have had their time to register again."""


class AllocatorRecoveryTimer(Timer, frozen=True, kw_only=True):
    """Nothing is offered before enough agents are back, but not for longer than this."""


class RemovalTimer(Timer, frozen=True, kw_only=True):
    """The next agent may be given up by agent_removal_rate_limit."""


class RegistryGcTimer(Timer, frozen=True, kw_only=True):
    """Time to look for records that are too many or too old."""


class OfferTimer(Timer, frozen=True, kw_only=True):
    """An offer has been outstanding for offer_timeout."""

    offer_id: str


class FailoverTimer(Timer, frozen=True, kw_only=True):
    """A framework has been disconnected for its failover_timeout."""

    framework_id: str
    epoch: int
