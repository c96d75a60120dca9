"""How roles share a cluster, as operators say it: weights and quota."""

from pocket_mesos.protocol.base import Message, Real, repeated
from pocket_mesos.protocol.mesos import Resource, Scalar


class WeightInfo(Message, frozen=True, kw_only=True):
    weight: Real
    role: str | None = None


class QuotaConfig(Message, frozen=True, kw_only=True):
    """What a role is sure to get and what it can have at most, by name of the resource."""

    role: str
    guarantees: dict[str, Scalar] = {}
    limits: dict[str, Scalar] = {}


class QuotaRequest(Message, frozen=True, kw_only=True):
    """The older way to say it: the guarantee is the limit, too."""

    role: str = ""
    guarantee: list[Resource] = repeated()
    force: bool = False
