"""What the master's decisions change in the registry."""

from collections.abc import Iterable, Mapping

from pocket_mesos.allocator import NO_QUOTA, Quota
from pocket_mesos.master.context import Master
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import AgentInfo, Scalar
from pocket_mesos.protocol.sharing import QuotaConfig, WeightInfo
from pocket_mesos.registry import records
from pocket_mesos.registry.records import (
    AdmittedAgent,
    Capability,
    Change,
    GoneAgent,
    TimeInfo,
    UnreachableAgent,
)
from pocket_mesos.resources.values import PRECISION, Milli

_NEEDED_FOR_DRAINING = "AGENT_DRAINING"
_NEEDED_FOR_QUOTA = "QUOTA_V2"


def admit(info: AgentInfo, deactivation: Deactivation | None) -> list[Change]:
    """Let an agent be one of the cluster, for the first time or again."""
    assert info.id is not None, "it has been given one"
    key = info.id.value
    admitted = AdmittedAgent(info=info, deactivation=deactivation)
    return [
        Change(kind=records.AGENTS, key=key, record=admitted),
        Change(kind=records.UNREACHABLE, key=key),
    ]


def lose(m: Master, agent_id: str) -> list[Change]:
    """Take an agent for unreachable from now on."""
    return [
        Change(kind=records.AGENTS, key=agent_id),
        _unreachable(agent_id, m.now, m.state.deactivations.get(agent_id)),
    ]


def remove(agent_id: str) -> list[Change]:
    """Forget an agent."""
    return [
        Change(kind=records.AGENTS, key=agent_id),
        Change(kind=records.UNREACHABLE, key=agent_id),
    ]


def mark_gone(m: Master, agent_id: str) -> list[Change]:
    """Keep an agent away for good."""
    gone = GoneAgent(timestamp=_time(m.now))
    return [*remove(agent_id), Change(kind=records.GONE, key=agent_id, record=gone)]


def forget(unreachable: Iterable[str], gone: Iterable[str]) -> list[Change]:
    """Discard records that are too many or too old."""
    return [
        *(Change(kind=records.UNREACHABLE, key=one) for one in unreachable),
        *(Change(kind=records.GONE, key=one) for one in gone),
    ]


def deactivate(m: Master, agent_id: str, deactivation: Deactivation | None) -> list[Change]:
    """Note what operators have decided about an agent that is known."""
    known = m.state.agents.get(agent_id)
    info = m.state.recovered_agents.get(agent_id) if known is None else known.info
    if info is not None:
        changed = AdmittedAgent(info=info, deactivation=deactivation)
        made = [Change(kind=records.AGENTS, key=agent_id, record=changed)]
    else:
        made = [_unreachable(agent_id, m.state.unreachable_agents[agent_id], deactivation)]
    return made if deactivation is None else [*made, _needing(_NEEDED_FOR_DRAINING)]


def weigh(weights: Mapping[str, float]) -> list[Change]:
    """Give roles their weights."""
    return [
        Change(kind=records.WEIGHTS, key=role, record=WeightInfo(role=role, weight=weight))
        for role, weight in weights.items()
    ]


def grant(quotas: Mapping[str, Quota]) -> list[Change]:
    """Give roles their quota, or take it away."""
    made = [
        Change(kind=records.QUOTAS, key=role, record=_config(role, one))
        for role, one in quotas.items()
    ]
    return [*made, _needing(_NEEDED_FOR_QUOTA)]


def too_large(changes: Iterable[Change]) -> bool:
    """Whether a record is larger than the registry takes."""
    return any(
        len(one.key) > records.MAX_BYTES
        or (one.record is not None and len(codec.encode(one.record)) > records.MAX_BYTES)
        for one in changes
    )


def _unreachable(agent_id: str, since: float, deactivation: Deactivation | None) -> Change:
    record = UnreachableAgent(timestamp=_time(since), deactivation=deactivation)
    return Change(kind=records.UNREACHABLE, key=agent_id, record=record)


def _needing(capability: str) -> Change:
    record = Capability(capability=capability)
    return Change(kind=records.CAPABILITIES, key=capability, record=record)


def _time(seconds: float) -> TimeInfo:
    return TimeInfo(nanoseconds=round(seconds * 1e9))


def _config(role: str, quota: Quota) -> QuotaConfig | None:
    if quota == NO_QUOTA:
        return None
    return QuotaConfig(
        role=role, guarantees=_scalars(quota.guarantees), limits=_scalars(quota.limits)
    )


def _scalars(amounts: Mapping[str, Milli]) -> dict[str, Scalar]:
    return {name: Scalar(value=value / PRECISION) for name, value in amounts.items()}
