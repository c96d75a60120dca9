"""What a new leader finds in the registry, and how it becomes the state that it leads with."""

from pocket_mesos.allocator import Quota
from pocket_mesos.master import changes, events, losses, removal, sharing
from pocket_mesos.master.actions import Abort
from pocket_mesos.master.context import Master
from pocket_mesos.master.validation import sharing as validation
from pocket_mesos.protocol.sharing import QuotaConfig, WeightInfo
from pocket_mesos.registry import records
from pocket_mesos.registry.records import AdmittedAgent, GoneAgent, Registry, UnreachableAgent

_NANO = 1e-9


def recover(m: Master, registry: Registry) -> None:
    """Enter what the registry holds."""
    for key, admitted in registry.of(records.AGENTS, AdmittedAgent).items():
        m.state.recovered_agents[key] = admitted.info
        m.decide(key, admitted.deactivation)
    m.state.recovered_count = len(m.state.recovered_agents)
    unreachable = registry.of(records.UNREACHABLE, UnreachableAgent)
    for key, lost in sorted(unreachable.items(), key=lambda item: item[1].timestamp.nanoseconds):
        m.state.unreachable_agents[key] = lost.timestamp.nanoseconds * _NANO
        m.decide(key, lost.deactivation)
    gone = registry.of(records.GONE, GoneAgent)
    for key, one in sorted(gone.items(), key=lambda item: item[1].timestamp.nanoseconds):
        m.state.gone_agents[key] = one.timestamp.nanoseconds * _NANO
    for role, weight in registry.of(records.WEIGHTS, WeightInfo).items():
        sharing.weigh(m, {role: weight.weight})
    for role, config in registry.of(records.QUOTAS, QuotaConfig).items():
        quota = Quota(
            guarantees=validation.quantities(config.guarantees),
            limits=validation.quantities(config.limits),
        )
        sharing.grant(m, {role: quota})


def start(m: Master) -> None:
    """Begin to wait for those who were there before."""
    known = len(m.state.recovered_agents)
    m.log(
        f"Recovered {known} agents from the registry; "
        f"allowing {m.config.agent_reregister_timeout:g}secs for agents to reregister"
    )
    if known:
        m.start_timer(events.ReregisterTimer(), m.config.agent_reregister_timeout)
    _hold_offers(m)
    _take_initial_weights(m)
    m.start_timer(events.RegistryGcTimer(), m.config.registry_gc_interval)


def _take_initial_weights(m: Master) -> None:
    """Let the weights of the command line be those of the registry, if that has none."""
    given = dict(m.config.weights)
    if not given:
        return
    if m.state.weights:
        m.log("Ignoring --weights and recovering the weights from the registry", "WARNING")
        return
    sharing.weigh(m, given)
    m.store(changes.weigh(given), [], lambda: None)


def reregister_expired(m: Master) -> None:
    """Give up agents of the registry that have not come back in time."""
    late = [one for one in m.state.recovered_agents if not m.is_busy(one)]
    share = len(late) / max(m.state.recovered_count, 1)
    if share > m.config.recovery_agent_removal_limit:
        message = (
            "Post-recovery agent removal limit exceeded! After "
            f"{m.config.agent_reregister_timeout:g}secs there were {len(late)} "
            f"({share * 100:g}%) agents recovered from the registry that did not reregister: "
            f"{', '.join(late)}. The configured removal limit is "
            f"{m.config.recovery_agent_removal_limit * 100:g}%. Please investigate or increase "
            "this limit to proceed further"
        )
        m.actions.append(Abort(message=message))
        return
    for agent_id in late:
        removal.wanted(m, agent_id)


def collect_garbage(m: Master) -> None:
    """Discard records of unreachable and gone agents that are too many or too old."""
    m.start_timer(events.RegistryGcTimer(), m.config.registry_gc_interval)
    unreachable = [one for one in _discardable(m, m.state.unreachable_agents) if not m.is_busy(one)]
    gone = _discardable(m, m.state.gone_agents)
    if not unreachable and not gone:
        return

    def discard() -> None:
        for agent_id in unreachable:
            losses.forget_unreachable(m, agent_id)
        for agent_id in gone:
            m.state.gone_agents.pop(agent_id, None)
        m.log(
            f"Garbage collected {len(unreachable)} unreachable and {len(gone)} gone agents "
            "from the registry"
        )

    m.store(changes.forget(unreachable, gone), unreachable, discard)


def _discardable(m: Master, agents: dict[str, float]) -> list[str]:
    """Return which of some agents, by the time since when, to forget: the oldest, the too many."""
    too_many = max(len(agents) - m.config.registry_max_agent_count, 0)
    return [
        one
        for number, (one, since) in enumerate(agents.items())
        if number < too_many or m.now - since > m.config.registry_max_agent_age
    ]


def agent_back(m: Master) -> None:
    """Offer again, if that waited for this agent among others."""
    expected = m.state.recovered_count * m.config.allocator_agent_recovery_factor
    if m.state.holding_offers and len(m.state.agents) >= int(expected):
        release_offers(m)


def release_offers(m: Master) -> None:
    """Offer what there is from now on."""
    if m.state.holding_offers:
        m.state.holding_offers = False
        m.want_allocation()


def _hold_offers(m: Master) -> None:
    """Offer nothing until most agents are back, where there is quota to be kept."""
    if m.state.quotas and m.state.recovered_agents:
        m.state.holding_offers = True
        m.start_timer(events.AllocatorRecoveryTimer(), m.config.allocator_recovery_timeout)
