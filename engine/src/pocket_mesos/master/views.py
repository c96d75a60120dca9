"""What the master's endpoints show of its state, in Mesos' fields and order."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pocket_mesos.authorization import Viewer
from pocket_mesos.election.info import CAPABILITIES
from pocket_mesos.master import summary
from pocket_mesos.master.state import Agent, Executor, Framework, Offer, State, Task
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import AgentInfo, CommandInfo, MasterInfo
from pocket_mesos.resources import attributes_model, model

Json = dict[str, Any]

DEFAULT_TASK_LIMIT = 100


def state(
    known: State,
    viewer: Viewer,
    *,
    build: Json,
    flags: dict[str, str],
    cluster: str | None,
    master: Json,
    leader: MasterInfo,
    log_dir: str | None,
) -> Json:
    """Show everything, as /state does."""
    shown = {"version": build["version"]} | build | master
    if cluster is not None and viewer.flags:
        shown["cluster"] = cluster
    shown |= {
        "capabilities": list(CAPABILITIES),
        "activated_slaves": float(sum(known.is_active(a) for a in known.agents.values())),
        "deactivated_slaves": float(sum(not known.is_active(a) for a in known.agents.values())),
        "unreachable_slaves": float(len(known.unreachable_agents)),
        "leader": leader.pid,
        "leader_info": leader_info(leader),
    }
    if log_dir is not None and viewer.flags:
        shown["log_dir"] = log_dir
    if viewer.flags:
        shown["flags"] = flags
    return shown | {
        "slaves": [agent(known, one) for one in known.agents.values()],
        "recovered_slaves": [_recovered(one) for one in known.recovered_agents.values()],
        **frameworks(known, viewer),
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }


def leader_info(info: MasterInfo) -> Json:
    """Show who leads."""
    return {"id": info.id, "pid": info.pid, "port": info.port, "hostname": info.hostname}


def slaves(known: State, viewer: Viewer, agent_id: str | None = None) -> Json:
    """Show agents with their resources in full, as /slaves does."""
    shown = []
    for one in _chosen(known.agents, agent_id):
        used = summary.visible(summary.used_of_agent(one), viewer)
        offered = summary.offered_by_role(known, sorted(one.offers))
        offered = summary.visible(offered, viewer)
        shown.append(
            agent(known, one)
            | {
                "reserved_resources_full": {},
                "unreserved_resources_full": _total(one),
                "used_resources_full": summary.messages(used),
                "offered_resources_full": summary.messages(offered),
            }
        )
    recovered = _chosen(known.recovered_agents, agent_id)
    return {"slaves": shown, "recovered_slaves": [_recovered(one) for one in recovered]}


def state_summary(known: State, viewer: Viewer, hostname: str) -> Json:
    """Show counts of tasks by agent and by framework, as /state-summary does."""
    by_agent: dict[str, list[Task]] = defaultdict(list)
    for one in known.frameworks.values():
        for task_ in summary.all_tasks(one):
            by_agent[task_.agent_id].append(task_)
    shown_agents = []
    for a in known.agents.values():
        tasks_here = by_agent[a.id]
        ids = dict.fromkeys(t.framework_id for t in tasks_here)
        counts = summary.count_states(tasks_here)
        shown_agents.append(agent(known, a) | counts | {"framework_ids": list(ids)})
    return {
        "hostname": hostname,
        "slaves": shown_agents,
        "frameworks": [
            _framework_summary(known, f)
            for f in known.frameworks.values()
            if viewer.framework(f.info)
        ],
    }


def frameworks(known: State, viewer: Viewer, framework_id: str | None = None) -> Json:
    """Show frameworks, live and completed."""
    live = _visible(known.frameworks, viewer, framework_id)
    completed = _visible(known.completed_frameworks, viewer, framework_id)
    return {
        "frameworks": [framework(known, viewer, one) for one in live],
        "completed_frameworks": [framework(known, viewer, one) for one in completed],
    }


def tasks(
    known: State,
    viewer: Viewer,
    *,
    limit: int = DEFAULT_TASK_LIMIT,
    offset: int = 0,
    ascending: bool = False,
    framework_id: str | None = None,
    task_id: str | None = None,
) -> Json:
    """Show a page of all tasks, the latest first."""
    owners = _visible(known.frameworks, viewer, framework_id)
    owners += _visible(known.completed_frameworks, viewer, framework_id)
    found = [
        one
        for owner in owners
        for one in visible_tasks(viewer, owner, summary.all_tasks(owner))
        if task_id is None or one.id == task_id
    ]
    found.sort(key=_begun, reverse=not ascending)
    return {"tasks": [task(one) for one in found[offset : offset + limit]]}


def _recovered(info: AgentInfo) -> Json:
    """Show an agent of the registry that has not registered again."""
    return {
        "id": "" if info.id is None else info.id.value,
        "hostname": info.hostname,
        "port": info.port,
        "attributes": attributes_model(info.attributes),
    }


def agent(known: State, one: Agent) -> Json:
    """Show an agent."""
    offered = summary.offered_by_role(known, sorted(one.offers))
    shown: Json = {
        "id": one.id,
        "hostname": one.info.hostname,
        "port": one.info.port,
        "attributes": attributes_model(one.info.attributes),
        "pid": one.pid,
        "registered_time": one.registered_time,
    }
    if one.reregistered_time is not None:
        shown["reregistered_time"] = one.reregistered_time
    shown |= {
        "resources": model(one.total),
        "used_resources": model(summary.total(summary.used_of_agent(one))),
        "offered_resources": model(summary.total(offered)),
        "reserved_resources": {},
        "unreserved_resources": model(one.total),
        "active": known.is_active(one),
        "deactivated": one.id in known.deactivations,
        "version": one.version,
        "capabilities": [c.type for c in one.capabilities],
    }
    deactivation = known.deactivations.get(one.id)
    if deactivation is not None and deactivation.drain_info is not None:
        shown["drain_info"] = deactivation.drain_info
        shown["estimated_drain_start_time_seconds"] = deactivation.drain_start
    return shown


def framework(known: State, viewer: Viewer, one: Framework) -> Json:
    """Show a framework with its tasks."""
    info = one.info
    shown = _framework_head(known, one) | {
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "registered_time": one.registered_time,
        "unregistered_time": one.unregistered_time,
    }
    if info.principal is not None:
        shown["principal"] = info.principal
    used = summary.total(summary.used_of_framework(one))
    offered = summary.total(summary.offered_by_role(known, sorted(one.offers)))
    shown["resources"] = model(used + offered)
    if one.reregistered_time is not None:
        shown["reregistered_time"] = one.reregistered_time
    shown |= {"roles": one.roles} if one.multi_role else {"role": one.roles[0]}
    shown |= {
        "tasks": [task(t) for t in visible_tasks(viewer, one, one.tasks.values())],
        "unreachable_tasks": [
            task(t) for t in visible_tasks(viewer, one, one.unreachable_tasks.values())
        ],
        "completed_tasks": [task(t) for t in visible_tasks(viewer, one, one.completed_tasks)],
        "offers": [_offer(known.offers[offer_id]) for offer_id in sorted(one.offers)],
        # One that is not shown leaves an empty object, as in Mesos.
        "executors": [
            _executor(e) if viewer.executor(info, e.info) else {} for e in one.executors.values()
        ],
    }
    if info.labels is not None:
        shown["labels"] = info.labels.labels
    return shown | {"offer_constraints": {}}


def visible_tasks(viewer: Viewer, owner: Framework, tasks: Iterable[Task]) -> Iterable[Task]:
    """Pick the tasks of a framework that somebody may see."""
    return viewer.tasks(owner.info, tasks, lambda one: one.info)


def task(one: Task) -> Json:
    """Show a task."""
    info = one.info
    shown: Json = {
        "id": one.id,
        "name": info.name,
        "framework_id": one.framework_id,
        "executor_id": one.executor_id or "",
        "slave_id": one.agent_id,
        "state": one.state.value,
        "resources": model(one.resources),
        "role": one.role,
        "statuses": [_status(status) for status in one.statuses],
    }
    if info.labels is not None:
        shown["labels"] = info.labels.labels
    if info.discovery is not None:
        shown["discovery"] = info.discovery
    if info.container is not None:
        shown["container"] = info.container
    if info.health_check is not None:
        shown["health_check"] = info.health_check
    return shown


def command(info: CommandInfo | None) -> Json:
    """Show a command."""
    shown: Json = {}
    if info is None:
        return {"argv": [], "uris": []}
    if info.value is not None:
        shown["value"] = info.value
    shown["argv"] = info.arguments
    if info.environment is not None:
        shown["environment"] = info.environment
    shown["uris"] = info.uris
    if info.user is not None:
        shown["user"] = info.user
    return shown


def _status(status: Any) -> Json:
    shown: Json = {"state": status.state.value, "timestamp": status.timestamp}
    if status.labels is not None:
        shown["labels"] = status.labels.labels
    if status.container_status is not None:
        # The process is the agent's business; Mesos leaves it out here.
        container = codec.to_builtins(status.container_status)
        container.pop("executor_pid", None)
        shown["container_status"] = container
    if status.healthy is not None:
        shown["healthy"] = status.healthy
    return shown


def _offer(one: Offer) -> Json:
    return {
        "id": one.id,
        "framework_id": one.framework_id,
        "allocation_info": {"role": one.role},
        "slave_id": one.agent_id,
        "resources": model(one.resources),
    }


def _executor(one: Executor) -> Json:
    shown: Json = {
        "executor_id": one.id,
        "name": one.info.name or "",
        "framework_id": one.framework_id,
        "command": command(one.info.command),
        "resources": model(one.resources),
        "role": one.role,
        "type": "CUSTOM" if one.info.type is None else one.info.type.value,
    }
    if one.info.labels is not None:
        shown["labels"] = one.info.labels.labels
    return shown | {"slave_id": one.agent_id}


def _framework_head(known: State, one: Framework) -> Json:
    used = summary.total(summary.used_of_framework(one))
    offered = summary.total(summary.offered_by_role(known, sorted(one.offers)))
    return {
        "id": one.id,
        "name": one.info.name,
        "used_resources": model(used),
        "offered_resources": model(offered),
        "capabilities": [c.type for c in one.info.capabilities if c.type is not None],
        "hostname": one.info.hostname or "",
        "webui_url": one.info.webui_url or "",
        "active": one.active,
        "connected": one.connected,
        "recovered": one.state.value == "RECOVERED",
    }


def _framework_summary(known: State, one: Framework) -> Json:
    held = summary.all_tasks(one)
    agents = dict.fromkeys(t.agent_id for t in held)
    return _framework_head(known, one) | summary.count_states(held) | {"slave_ids": sorted(agents)}


def _total(one: Agent) -> list[Any]:
    order = [resource.name for resource in one.info.resources]
    return sorted(one.total.to_messages(role="*"), key=lambda r: order.index(r.name))


def _begun(one: Task) -> float:
    first = one.statuses[0].timestamp if one.statuses else None
    return first if first is not None else 0.0


def _visible(known: Any, viewer: Viewer, identity: str | None) -> list[Any]:
    return [one for one in _chosen(known, identity) if viewer.framework(one.info)]


def _chosen(known: Any, identity: str | None) -> list[Any]:
    if identity is None:
        return list(known.values())
    return [known[identity]] if identity in known else []
