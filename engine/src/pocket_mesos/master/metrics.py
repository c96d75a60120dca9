"""/metrics/snapshot: what the master counts and measures, under Mesos' names."""

import os
from urllib.parse import quote

from pocket_mesos.flags import parse_duration
from pocket_mesos.master import framework_metrics, summary
from pocket_mesos.master.core import Core
from pocket_mesos.master.runner import Runner
from pocket_mesos.master.state import FrameworkState, State
from pocket_mesos.protocol.mesos import TaskState
from pocket_mesos.resources import EMPTY
from pocket_mesos.resources.values import PRECISION

_COUNTERS = (
    "dropped_messages",
    "event_queue_dispatches",
    "event_queue_http_requests",
    "event_queue_messages",
    "http_cache_hits",
    "invalid_executor_to_framework_messages",
    "invalid_framework_to_executor_messages",
    "invalid_operation_status_update_acknowledgements",
    "invalid_operation_status_updates",
    "invalid_status_update_acknowledgements",
    "invalid_status_updates",
    "messages_authenticate",
    "messages_deactivate_framework",
    "messages_decline_offers",
    "messages_executor_to_framework",
    "messages_exited_executor",
    "messages_framework_to_executor",
    "messages_kill_task",
    "messages_launch_tasks",
    "messages_operation_status_update",
    "messages_operation_status_update_acknowledgement",
    "messages_reconcile_operations",
    "messages_reconcile_tasks",
    "messages_register_framework",
    "messages_register_slave",
    "messages_reregister_framework",
    "messages_reregister_slave",
    "messages_resource_request",
    "messages_revive_offers",
    "messages_status_update",
    "messages_status_update_acknowledgement",
    "messages_suppress_offers",
    "messages_unregister_framework",
    "messages_unregister_slave",
    "messages_update_slave",
    "recovery_slave_removals",
    "slave_registrations",
    "slave_removals",
    "slave_removals/reason_registered",
    "slave_removals/reason_unhealthy",
    "slave_removals/reason_unregistered",
    "slave_reregistrations",
    "slave_shutdowns_canceled",
    "slave_shutdowns_completed",
    "slave_shutdowns_scheduled",
    "slave_unreachable_canceled",
    "slave_unreachable_completed",
    "slave_unreachable_scheduled",
    "tasks_dropped",
    "tasks_error",
    "tasks_failed",
    "tasks_finished",
    "tasks_gone",
    "tasks_gone_by_operator",
    "tasks_killed",
    "tasks_lost",
    "valid_executor_to_framework_messages",
    "valid_framework_to_executor_messages",
    "valid_operation_status_update_acknowledgements",
    "valid_operation_status_updates",
    "valid_status_update_acknowledgements",
    "valid_status_updates",
)
"""Shown even while they are zero; some stay so, because what they count does not exist here."""

_OPERATIONS = (
    "create",
    "create_disk",
    "destroy",
    "destroy_disk",
    "grow_volume",
    "reserve",
    "shrink_volume",
    "unreserve",
)
_OPERATION_STATES = (
    "dropped",
    "error",
    "failed",
    "finished",
    "gone_by_operator",
    "pending",
    "recovering",
    "total",
    "unreachable",
)
"""Offer operations do not exist here; their metrics do, so that dashboards find them."""

_LIVE_STATES = ("killing", "running", "staging", "starting", "unreachable")

_SCALARS = ("cpus", "disk", "gpus", "mem")


def validate_timeout(text: str) -> str | None:
    """Return what is wrong with ``?timeout=``."""
    try:
        parse_duration(text)
    except ValueError:
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        return f"Invalid timeout '{text}': Failed to convert '{number}' to number.\n"
    return None


def snapshot(runner: Runner) -> dict[str, float]:
    """Return all metrics, sorted by name."""
    shown = {
        "master/elected": float(runner.core is not None),
        "master/uptime_secs": runner.now - runner.started,
        **_system(),
    }
    known = runner.core.state if runner.core is not None else State()
    shown |= {f"master/{name}": float(known.counters.get(name, 0)) for name in _COUNTERS}
    for operation in ("", *(f"{name}/" for name in _OPERATIONS)):
        shown |= {f"master/operations/{operation}{state}": 0.0 for state in _OPERATION_STATES}
    shown["allocator/mesos/allocation_runs"] = float(known.counters.get("allocation_runs", 0))
    shown |= runner.allocation_times.shown("allocator/mesos/allocation_run_ms")
    shown |= _agents(known) | _frameworks(known) | _tasks(known) | _resources(known)
    shown |= _registrar(runner)
    if runner.core is not None:
        shown |= _roles(runner.core, runner.now)
        shown |= _each_framework(runner.core)
    shown["master/outstanding_offers"] = float(len(known.offers))
    shown["master/operator_event_stream_subscribers"] = float(len(known.subscribers))
    return dict(sorted(shown.items()))


def _registrar(runner: Runner) -> dict[str, float]:
    """Show the registry's size and times; its log is ZooKeeper's, or a file of the master's."""
    registrar = runner.registrar
    shown = {
        "registrar/log/ensemble_size": float(registrar.replicas),
        "registrar/log/recovered": float(registrar.recovered),
        "registrar/queued_operations": float(registrar.queued),
        **runner.store_times.shown("registrar/state_store_ms"),
    }
    if registrar.fetch_ms is not None:
        shown["registrar/state_fetch_ms"] = registrar.fetch_ms
        shown["registrar/registry_size_bytes"] = float(registrar.bytes)
    return shown


def _agents(known: State) -> dict[str, float]:
    active = sum(known.is_active(one) for one in known.agents.values())
    connected = sum(one.connected for one in known.agents.values())
    return {
        "master/slaves_active": float(active),
        "master/slaves_connected": float(connected),
        "master/slaves_disconnected": float(len(known.agents) - connected),
        "master/slaves_inactive": float(len(known.agents) - active),
        "master/slaves_unreachable": float(len(known.unreachable_agents)),
    }


def _frameworks(known: State) -> dict[str, float]:
    states = [one.state for one in known.frameworks.values()]
    active = states.count(FrameworkState.ACTIVE)
    return {
        "master/frameworks_active": float(active),
        "master/frameworks_connected": float(active),
        "master/frameworks_disconnected": float(len(states) - active),
        "master/frameworks_inactive": float(len(states) - active),
    }


def _each_framework(core: Core) -> dict[str, float]:
    if not core.config.framework_metrics:
        return {}
    known = core.state
    live = [(one, core.allocator.suppressed(one.id)) for one in known.frameworks.values()]
    completed = [(one, frozenset[str]()) for one in known.completed_frameworks.values()]
    return {
        f"master/frameworks/{quote(one.info.name, safe='')}/{one.id}/{name}": value
        for one, suppressed in (*live, *completed)
        for name, value in framework_metrics.shown(one, suppressed).items()
    }


def _tasks(known: State) -> dict[str, float]:
    counts = dict.fromkeys(_LIVE_STATES, 0)
    for framework in known.frameworks.values():
        counts["unreachable"] += len(framework.unreachable_tasks)
        for task in framework.tasks.values():
            name = task.state.value.removeprefix("TASK_").lower()
            if name in counts and task.state is not TaskState.TASK_UNREACHABLE:
                counts[name] += 1
    return {f"master/tasks_{name}": float(count) for name, count in counts.items()}


def _resources(known: State) -> dict[str, float]:
    total, used, held = EMPTY, EMPTY, EMPTY
    for agent in known.agents.values():
        total = total + agent.total
        in_use = summary.total(summary.used_of_agent(agent))
        used = used + in_use
        held = held + in_use + summary.total(summary.offered_by_role(known, agent.offers))
    shown = {}
    for name in _SCALARS:
        whole, part = total.scalar(name), used.scalar(name)
        shown[f"master/{name}_total"] = whole
        shown[f"master/{name}_used"] = part
        shown[f"master/{name}_percent"] = part / whole if whole else 0.0
        # Nothing is oversubscribed here.
        shown |= {f"master/{name}_revocable_{kind}": 0.0 for kind in ("percent", "total", "used")}
        if whole:
            prefix = f"allocator/mesos/resources/{name}"
            shown[f"{prefix}/total"] = whole
            shown[f"{prefix}/offered_or_allocated"] = held.scalar(name)
    return shown


def _roles(core: Core, now: float) -> dict[str, float]:
    """Return what the allocator knows of roles that have frameworks."""
    shown = {}
    for role, share in core.allocator.shares().items():
        shown[f"allocator/mesos/roles/{role}/shares/dominant"] = share
    for role, count in core.allocator.active_filters(now).items():
        shown[f"allocator/mesos/offer_filters/roles/{role}/active"] = float(count)
    used = summary.used_of_all(core.state)
    # The root of all roles, whose name is empty, has the whole.
    for role, resources in {**used, "": summary.total(used)}.items():
        for name in _SCALARS:
            if resources.scalar(name):
                shown[_quota(role, name, "consumed")] = resources.scalar(name)
    for role, quota in core.state.quotas.items():
        held = core.allocator.consumed(role)
        for kind, amounts in (("guarantee", quota.guarantees), ("limit", quota.limits)):
            for name, value in amounts.items():
                shown[_quota(role, name, kind)] = value / PRECISION
                shown[_quota(role, name, "offered_or_allocated")] = held.get(name, 0) / PRECISION
    return shown


def _quota(role: str, resource: str, kind: str) -> str:
    return f"allocator/mesos/quota/roles/{role}/resources/{resource}/{kind}"


def _system() -> dict[str, float]:
    load = os.getloadavg()
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        "system/cpus_total": float(os.cpu_count() or 1),
        "system/load_1min": load[0],
        "system/load_5min": load[1],
        "system/load_15min": load[2],
        "system/mem_total_bytes": float(os.sysconf("SC_PHYS_PAGES") * page),
        "system/mem_free_bytes": float(os.sysconf("SC_AVPHYS_PAGES") * page),
    }
