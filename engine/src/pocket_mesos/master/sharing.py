"""How roles share the cluster, at an operator's word: weights and quota.

What is decided is in the registry before it takes effect. Outstanding offers were made by the
former shares; they are withdrawn, so that the next allocation goes by the new ones.
"""

from collections.abc import Callable, Iterable, Mapping

from pocket_mesos.allocator import NO_QUOTA, Quota
from pocket_mesos.master import changes, events, offers, summary
from pocket_mesos.master.context import Master
from pocket_mesos.master.validation import sharing as validation
from pocket_mesos.protocol.sharing import QuotaConfig, WeightInfo
from pocket_mesos.registry.records import Change
from pocket_mesos.resources import EMPTY
from pocket_mesos.resources.values import Milli, milli, scalar_text

_QUOTAS = "/quotas"
"""Busy while quota is being written: whether it can be met depends on that of all roles."""


def weigh(m: Master, weights: Mapping[str, float]) -> None:
    """Take weights into effect."""
    for role, weight in weights.items():
        m.state.weights[role] = weight
        m.allocator.set_weight(role, weight)


def grant(m: Master, quotas: Mapping[str, Quota]) -> None:
    """Take quota into effect."""
    for role, quota in quotas.items():
        m.state.quotas[role] = quota
        m.allocator.set_quota(role, quota)


def update_weights(m: Master, event: events.WeightsRequested) -> None:
    """Give roles their weights."""
    error = _weights_error(event.infos, m.config.roles)
    if error is not None:
        m.respond(400, f"Failed to validate update weights request JSON{error}")
        return
    if not _permitted(m, "update_weights", event, [one.role or "" for one in event.infos]):
        return
    weights = {one.role or "": one.weight for one in event.infos}

    def take_effect() -> None:
        weigh(m, weights)
        _share_anew(m, weights)
        m.respond(200)

    _store(m, changes.weigh(weights), take_effect)


def update_quota(m: Master, event: events.QuotaRequested) -> None:
    """Give roles their guarantees and limits."""
    if m.postpone([_QUOTAS], lambda: update_quota(m, event)):
        return
    for config in event.configs:
        error = validation.validate_update(config, m.config.roles)
        if error is not None:
            m.respond(400, error)
            return
    if not _permitted(m, "update_quotas", event, [one.role for one in event.configs]):
        return
    quotas = {one.role: _quota(one) for one in event.configs}
    error = None if event.force else _unreasonable(m, quotas)
    if error is not None:
        m.respond(400, f"Invalid QuotaConfig: {error} (use 'force' flag to bypass this check)")
        return
    _enter(m, quotas, lambda: None)


def set_quota(m: Master, event: events.GuaranteeRequested) -> None:
    """Guarantee something to a role that has no quota, and no more than that."""
    if m.postpone([_QUOTAS], lambda: set_quota(m, event)):
        return
    request = event.request
    error = validation.validate_request(request, m.config.roles)
    if error is None and m.state.quotas.get(request.role, NO_QUOTA) != NO_QUOTA:
        error = f"Cannot set quota for role '{request.role}' which already has quota"
    if error is not None:
        m.respond(400, f"Failed to validate set quota request: {error}")
        return
    if "/" in request.role:
        m.respond(400, f"Setting quota on nested role '{request.role}' is not supported yet")
        return
    if not _permitted(m, "update_quotas", event, [request.role]):
        return
    amounts = {one.name: milli(one.scalar.value) for one in request.guarantee if one.scalar}
    quotas = {request.role: Quota(guarantees=amounts, limits=amounts)}
    error = None if request.force else _unreasonable(m, quotas)
    if error is not None:
        m.respond(409, f"Set quota request failed: {error} (use 'force' flag to bypass this check)")
        return
    _enter(m, quotas, lambda: None)


def remove_quota(m: Master, event: events.QuotaRemovalRequested) -> None:
    """Take a role's guarantees and limits away."""
    if m.postpone([_QUOTAS], lambda: remove_quota(m, event)):
        return
    if event.role not in m.state.quotas:
        m.respond(400, f"Failed to remove quota{event.where}: Role '{event.role}' has no quota set")
        return
    if not _permitted(m, "update_quotas", event, [event.role]):
        return
    _enter(m, {event.role: NO_QUOTA}, lambda: m.state.quotas.pop(event.role))


def _weights_error(infos: list[WeightInfo], allowed: frozenset[str] | None) -> str | None:
    error = validation.validate_weights(infos, allowed)
    if error is not None:
        return f": {error}"
    wrong = validation.validate_positive(infos)
    return None if wrong is None else f" for role '{wrong[0]}': {wrong[1]}"


def _permitted(m: Master, action: str, event: events.SharingDecided, roles: Iterable[str]) -> bool:
    approver = m.config.authorizer.approver(action, event.principal)
    permitted = all(approver.approves(role) for role in roles)
    if not permitted:
        m.respond(403, "403 Forbidden.")
    return permitted


def _quota(config: QuotaConfig) -> Quota:
    return Quota(
        guarantees=validation.quantities(config.guarantees),
        limits=validation.quantities(config.limits),
    )


def _unreasonable(m: Master, quotas: Mapping[str, Quota]) -> str | None:
    """Return why quotas can't be met as things are."""
    used = summary.used_of_all(m.state)
    for role, quota in quotas.items():
        consumed = summary.used_below(used, role).scalars
        if any(consumed.get(name, 0) > limit for name, limit in quota.limits.items()):
            return (
                f"Role '{role}' is already consuming '{_shown(consumed)}'; this is more than "
                f"the requested limits '{_shown(quota.limits)}'"
            )
    guarantees: dict[str, Milli] = {}
    for quota in {**m.state.quotas, **quotas}.values():
        for name, value in quota.guarantees.items():
            guarantees[name] = guarantees.get(name, 0) + value
    capacity = sum((agent.total for agent in m.state.agents.values()), EMPTY).scalars
    if any(value > capacity.get(name, 0) for name, value in guarantees.items()):
        return (
            f"total quota guarantees '{_shown(guarantees)}' exceed "
            f"cluster capacity '{_shown(capacity)}'"
        )
    return None


def _shown(amounts: Mapping[str, Milli]) -> str:
    return "; ".join(f"{name}:{scalar_text(amounts[name])}" for name in sorted(amounts))


def _enter(m: Master, quotas: Mapping[str, Quota], then: Callable[[], object]) -> None:
    def take_effect() -> None:
        grant(m, quotas)
        # Whoever is guaranteed something may be in want of what anybody was offered.
        _share_anew(m, None)
        then()
        m.respond(200)

    _store(m, changes.grant(quotas), take_effect, _QUOTAS)


def _store(m: Master, made: list[Change], then: Callable[[], None], *busy: str) -> None:
    if changes.too_large(made):
        m.respond(400, "The registry takes no record as large as this")
    else:
        m.store(made, busy, then)


def _share_anew(m: Master, roles: Iterable[str] | None) -> None:
    """Withdraw all offers if one of some roles, or of all, is somebody's."""
    active = {role for framework in m.state.frameworks.values() for role in framework.roles}
    if roles is not None and active.isdisjoint(roles):
        return
    for offer in list(m.state.offers.values()):
        offers.rescind(m, offer)
    m.want_allocation()
