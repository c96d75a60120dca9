"""What the operator API shows of the master's state: messages rather than endpoint JSON."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pocket_mesos.authorization import Viewer
from pocket_mesos.master import offers, role_views, summary, views
from pocket_mesos.master.state import Agent, Framework, State, Task
from pocket_mesos.protocol import codec
from pocket_mesos.resources import EMPTY, Resources

Json = dict[str, Any]


def state(known: State, viewer: Viewer) -> Json:
    """Show everything."""
    return {
        "get_tasks": tasks(known, viewer),
        "get_executors": executors(known, viewer),
        "get_frameworks": frameworks(known, viewer),
        "get_agents": agents(known, viewer),
    }


def agents(known: State, viewer: Viewer) -> Json:
    """Show all agents."""
    shown = [agent(known, viewer, one) for one in known.agents.values()]
    return {"agents": shown, "recovered_agents": list(known.recovered_agents.values())}


def frameworks(known: State, viewer: Viewer) -> Json:
    """Show live and completed frameworks."""
    live = _visible(known.frameworks.values(), viewer)
    completed = _visible(known.completed_frameworks.values(), viewer)
    return {
        "frameworks": [_framework(known, one) for one in live],
        "completed_frameworks": [_framework(known, one) for one in completed],
    }


def executors(known: State, viewer: Viewer) -> Json:
    """Show all executors."""
    shown = [
        {"executor_info": one.info, "agent_id": {"value": one.agent_id}}
        for framework in _visible(known.frameworks.values(), viewer)
        for one in framework.executors.values()
        if viewer.executor(framework.info, one.info)
    ]
    return {"executors": shown}


def tasks(known: State, viewer: Viewer) -> Json:
    """Show all tasks by what has become of them."""
    live = _visible(known.frameworks.values(), viewer)
    every = [*live, *_visible(known.completed_frameworks.values(), viewer)]

    def shown(owner: Framework, some: Iterable[Task]) -> list[Json]:
        return [_task(one) for one in views.visible_tasks(viewer, owner, some)]

    return {
        "tasks": [t for f in live for t in shown(f, f.tasks.values())],
        "unreachable_tasks": [t for f in every for t in shown(f, f.unreachable_tasks.values())],
        "completed_tasks": [t for f in every for t in shown(f, f.completed_tasks)],
    }


def roles(known: State, viewer: Viewer) -> Json:
    """Show the roles that have frameworks or a weight."""
    members: dict[str, list[Framework]] = defaultdict(list)
    for one in known.frameworks.values():
        for role in one.roles:
            members[role].append(one)
    by_role: dict[str, Resources] = defaultdict(lambda: EMPTY)
    for one in known.frameworks.values():
        for held in (summary.used_of_framework(one), summary.offered_by_role(known, one.offers)):
            for role, resources in held.items():
                by_role[role] = by_role[role] + resources
    shown = []
    for role in filter(viewer.role, role_views.known_roles(known, members)):
        total = summary.used_below(by_role, role)
        shown.append(_role(role, known.weights.get(role, 1.0), members[role], total))
    return {"roles": shown} if shown else {}


def weights(known: State, viewer: Viewer) -> Json | None:
    """Show the roles that were given a weight; nothing when there are none, as Mesos does."""
    infos = role_views.weights(known, viewer)
    return {"weight_infos": infos} if infos else None


def _role(role: str, weight: float, members: list[Framework], held: Resources) -> Json:
    shown: Json = {"name": role, "weight": weight}
    if members:
        shown["frameworks"] = [{"value": one.id} for one in members]
    scalars = [one for one in held.to_messages() if one.scalar is not None]
    if scalars:
        shown["resources"] = sorted(scalars, key=lambda one: one.name)
    return shown


def _visible(frameworks: Iterable[Framework], viewer: Viewer) -> list[Framework]:
    return [one for one in frameworks if viewer.framework(one.info)]


def agent(known: State, viewer: Viewer, one: Agent) -> Json:
    """Show an agent."""
    order = [resource.name for resource in one.info.resources]
    totals = one.total.to_messages(role="*")
    shown: Json = {
        "agent_info": codec.to_builtins(one.info) | {"checkpoint": True},
        "active": known.is_active(one),
        "deactivated": one.id in known.deactivations,
        "version": one.version,
        "pid": one.pid,
        "registered_time": _time(one.registered_time),
    }
    if one.reregistered_time is not None:
        shown["reregistered_time"] = _time(one.reregistered_time)
    shown["total_resources"] = sorted(totals, key=lambda r: order.index(r.name))
    used = summary.visible(summary.used_of_agent(one), viewer)
    _add_resources(shown, "allocated_resources", used)
    offered = summary.visible(summary.offered_by_role(known, sorted(one.offers)), viewer)
    _add_resources(shown, "offered_resources", offered)
    shown["capabilities"] = one.capabilities
    deactivation = known.deactivations.get(one.id)
    if deactivation is not None and deactivation.drain_info is not None:
        shown["drain_info"] = deactivation.drain_info
        # Whole seconds, as in Mesos.
        shown["estimated_drain_start_time"] = _time(int(deactivation.drain_start or 0))
    return shown


def _framework(known: State, one: Framework) -> Json:
    shown = _framework_head(one)
    if one.unregistered_time:
        shown["unregistered_time"] = _time(one.unregistered_time)
    if one.offers:
        shown["offers"] = [offers.message(known, offer_id) for offer_id in sorted(one.offers)]
    _add_resources(shown, "allocated_resources", summary.used_of_framework(one))
    offered = summary.offered_by_role(known, sorted(one.offers))
    _add_resources(shown, "offered_resources", offered)
    shown["offer_constraints"] = {}
    return shown


def framework_alone(one: Framework) -> Json:
    """Show a framework as an event tells of it."""
    shown = _framework_head(one) | {"unregistered_time": _time(one.unregistered_time)}
    _add_resources(shown, "allocated_resources", summary.used_of_framework(one))
    return shown


def _framework_head(one: Framework) -> Json:
    return {
        "framework_info": one.info,
        "active": one.active,
        "connected": one.connected,
        "recovered": one.state.value == "RECOVERED",
        "registered_time": _time(one.registered_time),
        "reregistered_time": _time(one.reregistered_time or one.registered_time),
    }


def task_alone(one: Task) -> Json:
    """Show a task as an event tells of it: what is empty is left out."""
    return {name: value for name, value in _task(one).items() if value != []}


def _task(one: Task) -> Json:
    info = one.info
    shown: Json = {
        "name": info.name,
        "task_id": info.task_id,
        "framework_id": {"value": one.framework_id},
    }
    if one.executor_id is not None:
        shown["executor_id"] = {"value": one.executor_id}
    shown |= {
        "agent_id": {"value": one.agent_id},
        "state": one.state,
        "resources": info.resources,
        "statuses": one.statuses,
    }
    if one.status_update_state is not None:
        shown["status_update_state"] = one.status_update_state
    if one.status_update_uuid is not None:
        shown["status_update_uuid"] = one.status_update_uuid
    for name in ("labels", "discovery", "container", "health_check"):
        value = getattr(info, name)
        if value is not None:
            shown[name] = value
    return shown


def _add_resources(shown: Json, name: str, by_role: dict[str, Resources]) -> None:
    if by_role:
        shown[name] = summary.messages(by_role)


def _time(seconds: float) -> Json:
    return {"nanoseconds": round(seconds * 1e9)}
