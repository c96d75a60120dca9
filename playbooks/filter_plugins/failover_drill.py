"""Filters of playbooks/failover_drill.yml: what to do an accident to, and what came of it."""

import base64
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

KINDS = {
    "leading_master": "kill -9 of the leading master",
    "zookeeper_leader": "kill -9 of ZooKeeper's leader",
    "agent": "kill -9 of an agent; its executors live on",
    "executor": "kill -9 of an executor that works",
    "master_partition": "the leading master's node loses the network",
    "agent_host": "an agent's node loses the network, for good as far as the masters know",
}
"""Every kind of accident, in the order of a whole drill."""

CUTS = ("master_partition", "agent_host")
"""The kinds in which a node loses the network."""

NET_ADMIN = 12
"""The capability that changes routes, as Linux numbers it."""

SUBJECTS = {
    "leading_master": "masters",
    "zookeeper_leader": "zookeeper",
    "agent": "agents",
    "executor": "agents",
    "master_partition": "masters",
    "agent_host": "agents",
}
"""The group of daemons that an accident picks its victim from."""

MILESTONES = {
    "leader_elected": "another leader is known",
    "leader_serving": "a leader serves",
    "agents_registered": "all agents are registered again",
    "framework_subscribed": "the framework is subscribed again",
    "first_offer": "first new offer",
    "server_elected": "another server leads",
    "quorum": "the ensemble has a quorum",
    "ensemble_whole": "all servers are back",
    "agent_disconnected": "the agent is missed",
    "agent_unreachable": "the agent is given up",
    "agent_registered": "the agent is registered again",
    "task_lost": "its tasks are known to be lost",
    "executor_replaced": "another executor takes its place",
    "count_goes_on": "the count goes on with new tasks",
}
"""What the milestones of failover_accident are to readers."""


def kinds(given: str | Sequence[str]) -> list[str]:
    """Read the kinds that are wanted: a list, or what `-e` makes of one."""
    text = given if isinstance(given, str) else ",".join(given)
    return [word.strip(" '\"") for word in text.strip("[] ").split(",")]


def refusals(wanted: Sequence[str], groups: Json, allow_outage: bool) -> list[str]:
    """Return why a cluster of these hosts is too small for what is wanted, or what is unknown."""
    masters, servers = len(groups["masters"]), len(groups["zookeeper"])
    told = [
        f"{kind!r} is no kind of accident: failover_drill_kinds takes {', '.join(KINDS)}"
        for kind in wanted
        if kind not in KINDS
    ]
    outage = "Set failover_drill_allow_outage to true to have it measured, or leave the kind out"
    if "leading_master" in wanted and masters < 2 and not allow_outage:
        told.append(
            "leading_master: there is one master, so this is an outage until systemd has started "
            f"it again. {outage}"
        )
    if "zookeeper_leader" in wanted and servers < 3 and not allow_outage:
        told.append(
            f"zookeeper_leader: there is no quorum without one of {servers} server(s), so this is "
            f"an outage until systemd has started it again. {outage}"
        )
    if "master_partition" in wanted and (masters < 3 or servers < 3):
        told.append(
            "master_partition: a master can only be replaced while it is away where a majority of "
            f"the masters and of the ZooKeeper servers stays: at least 3 each; there are {masters} "
            f"and {servers}. Leave the kind out of failover_drill_kinds"
        )
    if "agent_host" in wanted and len(groups["agents"]) < 2:
        told.append(
            "agent_host: there is one agent, and the count has nowhere to go without it. Add an "
            "agent, or leave the kind out of failover_drill_kinds"
        )
    return told


def confined(statuses: Sequence[Json]) -> list[str]:
    """Return the hosts that may not change their routes, by their slurped /proc/self/status."""
    return [one["item"] for one in statuses if not _capabilities(one["content"]) >> NET_ADMIN & 1]


def _capabilities(slurped: str) -> int:
    lines = base64.b64decode(slurped).decode(errors="replace").splitlines()
    effective = [line for line in lines if line.startswith("CapEff:")]
    return int(effective[0].partition(":")[2], 16)


def problems(cluster: Json, ensemble: Json, agents: Sequence[str]) -> list[str]:
    """Return what a cluster lacks to be whole, by mesos_info and zookeeper_info."""
    told = [f"ZooKeeper {s['address']}: {s['error']}" for s in ensemble["servers"] if s["error"]]
    if not ensemble["quorum"]:
        told.append("ZooKeeper has no quorum")
    told += [f"master {m['error']}" for m in cluster["masters"] if m["error"]]
    if cluster["leader"] is None:
        told.append("no master leads")
    active = {agent["address"] for agent in cluster["agents"] if agent["active"]}
    told += [f"agent {address} is not registered" for address in agents if address not in active]
    return told


def choice(kind: str, cluster: Json, ensemble: Json, groups: Json, turn: int) -> Json:
    """Return whom an accident happens to, and who counts and watches.

    `groups` holds masters, zookeeper and agents (host by address), clients (hosts) and addresses
    (node's address by host). The `client` is None where only the victim's node could count.
    """
    victim = _victim(kind, cluster, ensemble, sorted(groups["agents"]), turn)
    host = groups[SUBJECTS[kind]][victim]
    cut = kind in CUTS
    others = [name for name in groups["masters"].values() if name != host]
    clients = [name for name in groups["clients"] if not cut or name != host]
    return {
        "kind": kind,
        "victim": victim,
        "host": host,
        "watcher": others[0] if cut else host,
        "client": clients[0] if clients else None,
        "others": [a for name, a in groups["addresses"].items() if name != host],
    }


def _victim(kind: str, cluster: Json, ensemble: Json, agents: Sequence[str], turn: int) -> str:
    subject = SUBJECTS[kind]
    if subject == "masters":
        return str(cluster["leader"]["address"])
    if subject == "zookeeper":
        return str(ensemble["leader"])
    return agents[(turn - 1) % len(agents)]


def times(events: Sequence[Json]) -> dict[str, float]:
    """Return the seconds from the accident to each milestone."""
    at = {event["event"]: event["at"] for event in events}
    return {name: round(at[name] - at["fault"], 2) for name in MILESTONES if name in at}


def shortcoming(ending: Json) -> str:
    """Return what a round lacks by its last event; nothing where the cluster got over it."""
    if ending["event"] == "recovered":
        return ""
    told = {
        "count_over": "the count was over before the cluster was well again",
        "gave_up": "the cluster has not got over it in time",
        "never_under_way": "the count did not get under way in time",
    }
    lacking = ", ".join(MILESTONES[name] for name in ending.get("missing", []))
    said = told.get(ending["event"], str(ending["event"]))
    return f"{said}; missing: {lacking}" if lacking else said


def intention(chosen: Json) -> str:
    """Say what would happen to whom."""
    return f"{KINDS[chosen['kind']]}: {chosen['victim']} on {chosen['host']}"


def line(one: Json) -> str:
    """Tell of one round in a line."""
    reached = sorted(one["times"].items(), key=operator.itemgetter(1))
    told = [f"{MILESTONES[name]} after {after:.1f} s" for name, after in reached]
    count = f"the count is {'exact' if one['exact'] else 'NOT exact'}"
    if one["problem"]:
        count = f"FAILED: {one['problem']}"
    head = f"{one['kind']} {one['round']}, {one['what'] or 'nothing happened'} on {one['host']}"
    return f"{head}: {', '.join([*told, count])}"


def figures(rounds: Sequence[Json], recorded: Json) -> list[Json]:
    """Return a row for each kind and milestone: the seconds here and those that are recorded."""
    rows = []
    for kind in KINDS:
        found = [one["times"] for one in rounds if one["kind"] == kind]
        real = recorded["kinds"].get(kind, {})
        for name in MILESTONES:
            here = _spread([times[name] for times in found if name in times])
            row = {"kind": kind, "milestone": name, "here": here}
            if here:
                rows.append({**row, "recorded": _spread(real.get(name, []))})
    # In each kind as they are reached, the detection first.
    return sorted(rows, key=lambda row: (list(KINDS).index(row["kind"]), row["here"]["median"]))


def _spread(seconds: Sequence[float]) -> Json | None:
    if not seconds:
        return None
    median = round(statistics.median(seconds), 2)
    return {"n": len(seconds), "min": min(seconds), "median": median, "max": max(seconds)}


def table(rounds: Sequence[Json], recorded: Json) -> list[str]:
    """Return the figures as lines for people, beside those that are recorded."""
    rows = figures(rounds, recorded)
    cells = [("seconds after the accident, until", "median (min to max)", "real Mesos")]
    shown = ""
    for row in rows:
        if row["kind"] != shown:
            shown = row["kind"]
            cells.append((f"{shown}: {_tally(rounds, shown)}", "", ""))
        cells.append(
            (f"  {MILESTONES[row['milestone']]}", _text(row["here"]), _text(row["recorded"]))
        )
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(cell, widths, strict=True)) for cell in cells]
    return [one.rstrip() for one in lines] + [f"Real Mesos: {recorded['source']}."]


def _tally(rounds: Sequence[Json], kind: str) -> str:
    found = [one for one in rounds if one["kind"] == kind]
    return f"{KINDS[kind]}; exact in {_exact(found)} of {len(found)}"


def _exact(rounds: Sequence[Json]) -> int:
    return sum(one["exact"] and not one["problem"] for one in rounds)


def _text(spread: Json | None) -> str:
    if spread is None:
        return "-"
    if spread["n"] == 1:
        return f"{spread['median']:.2f} (once)"
    return f"{spread['median']:.1f} ({spread['min']:.1f} to {spread['max']:.1f})"


def verdict(rounds: Sequence[Json], planned: int) -> list[str]:
    """Return the last lines: whether every count was exact and every accident recovered from."""
    bad = [one for one in rounds if one["problem"] or not one["exact"]]
    told = [f"  {line(one)}" for one in bad]
    if len(rounds) < planned:
        told.append(f"  {planned - len(rounds)} rounds were not begun")
    counts = f"{_exact(rounds)} of {planned} counts exact, each through an accident"
    return [*told, f"{'PASSED' if not told else 'FAILED'}: {counts}"]


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Return the filters by name."""
        choosing = (kinds, refusals, confined, problems, choice, intention)
        telling = (times, shortcoming, line, figures, table, verdict)
        return {f"failover_{one.__name__}": one for one in (*choosing, *telling)}
