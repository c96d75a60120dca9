"""The registry's records: what each holds, and how it is written.

A record is known by its kind and its key; it holds one agent or one role, so that none grows with
the cluster. The kinds are the parts of Mesos' own registry, and so is what ``shown`` makes of them.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from pocket_mesos.protocol import codec
from pocket_mesos.protocol.base import Message
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import AgentInfo, MasterInfo
from pocket_mesos.protocol.sharing import QuotaConfig, WeightInfo

Key = tuple[str, str]
"""Kind and key."""

Record = TypeVar("Record", bound=Message)

MAX_BYTES = 512 * 1024
"""Of one record: half of what a znode may hold, and so of what one transaction may carry."""


class TimeInfo(Message, frozen=True, kw_only=True):
    nanoseconds: int


class AdmittedAgent(Message, frozen=True, kw_only=True):
    """An agent that may register again."""

    info: AgentInfo
    deactivation: Deactivation | None = None


class UnreachableAgent(Message, frozen=True, kw_only=True):
    """An agent that was admitted, and answers no more."""

    timestamp: TimeInfo
    deactivation: Deactivation | None = None


class GoneAgent(Message, frozen=True, kw_only=True):
    """An agent that may never come back."""

    timestamp: TimeInfo


class Capability(Message, frozen=True, kw_only=True):
    """What a master must be able to do to understand this registry."""

    capability: str


MASTER, AGENTS, UNREACHABLE, GONE = "master", "agents", "unreachable", "gone"
WEIGHTS, QUOTAS, CAPABILITIES = "weights", "quotas", "minimum_capabilities"

TYPES: dict[str, type[Message]] = {
    MASTER: MasterInfo,
    AGENTS: AdmittedAgent,
    UNREACHABLE: UnreachableAgent,
    GONE: GoneAgent,
    WEIGHTS: WeightInfo,
    QUOTAS: QuotaConfig,
    CAPABILITIES: Capability,
}

LEADER = "leader"
"""Key of the only record of kind ``MASTER``."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it is to be; None: it is to go."""

    kind: str
    key: str
    record: Message | None = None


class Registry:
    """All records, by kind and key."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Message]] = {kind: {} for kind in TYPES}

    def apply(self, change: Change) -> None:
        """Take a change over."""
        if change.record is None:
            self._records[change.kind].pop(change.key, None)
        else:
            self._records[change.kind][change.key] = change.record

    def of(self, kind: str, type_: type[Record]) -> Mapping[str, Record]:
        """Return all records of a kind, which are of that type."""
        assert TYPES[kind] is type_
        return cast(Mapping[str, Record], self._records[kind])


def decode(kind: str, data: bytes) -> Message:
    """Read a record.

    Raises:
        ProtocolError: it is none of its kind.
    """
    if kind not in TYPES:
        raise ProtocolError(f"unknown kind '{kind}'")
    return codec.decode(data, TYPES[kind], TYPES[kind].__name__)


def shown(registry: Registry) -> dict[str, Any]:
    """Show the registry as /registrar(1)/registry does."""
    master = registry.of(MASTER, MasterInfo).get(LEADER)
    if master is None:
        return {}
    made: dict[str, Any] = {
        "gone": _listed([_dated(key, one) for key, one in registry.of(GONE, GoneAgent).items()]),
        "machines": {},
        "master": {"info": master},
        "minimum_capabilities": list(registry.of(CAPABILITIES, Capability).values()),
        "quota_configs": list(registry.of(QUOTAS, QuotaConfig).values()),
        "slaves": _listed([_agent(one) for one in registry.of(AGENTS, AdmittedAgent).values()]),
        "unreachable": _listed(
            [
                _dated(key, one) | _deactivated(one.deactivation)
                for key, one in registry.of(UNREACHABLE, UnreachableAgent).items()
            ]
        ),
        "weights": [{"info": one} for one in registry.of(WEIGHTS, WeightInfo).values()],
    }
    # A repeated field without items is not printed; an empty message is.
    return {name: value for name, value in made.items() if value != []}


def _listed(agents: list[dict[str, Any]]) -> dict[str, Any]:
    return {"slaves": agents} if agents else {}


def _dated(key: str, one: UnreachableAgent | GoneAgent) -> dict[str, Any]:
    return {"id": {"value": key}, "timestamp": one.timestamp}


def _agent(one: AdmittedAgent) -> dict[str, Any]:
    return {"info": one.info} | _deactivated(one.deactivation)


def _deactivated(deactivation: Deactivation | None) -> dict[str, Any]:
    if deactivation is None:
        return {}
    found: dict[str, Any] = {"deactivated": True}
    if deactivation.drain_info is not None:
        found["drain_info"] = deactivation.drain_info
    return found
