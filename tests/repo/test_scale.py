"""The plan of playbooks/scale.yml: no step may lose data or a quorum."""

import itertools

import pytest
from scale import zookeeper_passes
from scale_cluster import cluster_plan, endpoints


def wanted(*numbers):
    """Return servers as the inventory declares them."""
    return [
        {"name": f"c{n}", "id": n, "address": f"10.0.0.{n}", "peer": f"10.0.0.{n}:2888:3888"}
        for n in numbers
    ]


def found(number, mode, members=(), *, data=True):
    """Return a server as it was found on its host."""
    peers = {str(n): f"10.0.0.{n}:2888:3888:participant" for n in members}
    address = f"10.0.0.{number}"
    return {"name": f"c{number}", "address": address, "mode": mode, "members": peers, "data": data}


def ensemble(leader, members):
    """Return an ensemble that is whole."""
    return [found(n, "leader" if n == leader else "follower", members) for n in members]


def majorities(servers):
    """Return every smallest set of servers that decides."""
    return [set(one) for one in itertools.combinations(servers, len(servers) // 2 + 1)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 2, 3), (1, 2, 3, 4, 5)),
        ((1, 2, 3, 4, 5), (1, 2, 3)),
        ((1, 2, 3), (1, 2, 4)),
        ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6, 7)),
    ],
)
def test_majorities_of_neighbouring_lists_meet(before, after):
    """Whatever one list's majority has acknowledged is known to a server of any of the next's."""
    plan = zookeeper_passes(wanted(*after), ensemble(before[-1], before))
    assert plan["problem"] is None
    lists = [before, *(tuple(map(int, one["members"])) for one in plan["passes"])]
    assert set(lists[-1]) == set(after)
    for old, new in itertools.pairwise(lists):
        for one, other in itertools.product(majorities(old), majorities(new)):
            assert one & other, (old, new)


def test_two_empty_servers_never_start_together():
    """A server that stands alone gets one new server, and the next when that one has the data."""
    (only,) = zookeeper_passes(wanted(1, 2, 3), [found(1, "standalone")])["passes"]
    assert (only["first"], only["restart"], only["then"]) == (["c2"], ["c1"], ["c3"])
    assert only["alone"]


def test_an_ensemble_that_is_as_wanted_is_left_alone():
    """There is nothing to do for the servers that are wanted."""
    assert zookeeper_passes(wanted(1, 2, 3), ensemble(2, (1, 2, 3)))["passes"] == []


def test_a_run_that_was_stopped_goes_on():
    """Servers that have the next list stay; the way is the one that is left."""
    hosts = [*ensemble(3, (1, 2, 3)), found(4, "follower", (1, 2, 3, 4))]
    hosts[0] = found(1, "follower", (1, 2, 3, 4))
    passes = zookeeper_passes(wanted(1, 2, 3, 4, 5), hosts)["passes"]
    assert [sorted(one["members"]) for one in passes] == [list("1234"), list("12345")]


def test_a_list_that_is_not_next_is_settled_first():
    """After a change of leaders a server may be two lists behind: it takes the leader's first."""
    hosts = [found(1, "leader", (1, 2, 3, 4)), *ensemble(0, (1, 2, 3))[1:]]
    hosts.append(found(4, "follower", (1, 2, 3, 4)))
    passes = zookeeper_passes(wanted(1, 2, 3, 4, 5), hosts)["passes"]
    assert [sorted(one["members"]) for one in passes] == [list("1234"), list("12345")]
    assert "c2" in passes[0]["restart"]


def test_a_lone_server_that_waits_gets_one_empty_server_first():
    """A run stopped between the restart of the lone server and the first new one's."""
    hosts = [found(1, None, (1, 2, 3)), found(2, None, (), data=False)]
    passes = zookeeper_passes(wanted(1, 2, 3), hosts)["passes"]
    assert [one["first"] for one in passes] == [["c2"], ["c3"]]


def test_a_member_that_is_down_is_started_before_all_else():
    """A node that was lost in the middle of a run comes back first."""
    hosts = [one for one in ensemble(1, (1, 2, 3)) if one["name"] != "c2"]
    (only,) = zookeeper_passes(wanted(1, 2, 3), hosts)["passes"]
    assert (only["first"], only["restart"]) == (["c2"], [])


@pytest.mark.parametrize(
    ("servers", "hosts", "words"),
    [
        (wanted(1), ensemble(5, (1, 2, 3, 4, 5)), "4 of 5 servers: a majority"),
        (wanted(1, 2, 3), [], "No ensemble serves"),
        (wanted(1, 2, 3), [found(1, "standalone"), found(2, "standalone")], "c1 and c2 each lead"),
        (wanted(1, 3, 4), [found(1, "follower", (1, 2, 3)), found(3, "leader", (1, 2, 3))], "gap"),
        ([{**one, "id": one["id"] + 1} for one in wanted(1, 2, 3)], ensemble(1, (1, 2, 3)), "_id"),
    ],
)
def test_what_is_not_safe_is_refused(servers, hosts, words):
    """The reason names the servers and what to do."""
    assert words in zookeeper_passes(servers, hosts)["problem"]


def test_a_gap_may_be_allowed():
    """A server that is down for good is replaced when a short stop is allowed."""
    hosts = [found(1, "follower", (1, 2, 3)), found(3, "leader", (1, 2, 3))]
    plan = zookeeper_passes(wanted(1, 3, 4), hosts, True)
    assert plan["problem"] is None
    assert [sorted(one["members"]) for one in plan["passes"]] == [["1", "3"], ["1", "3", "4"]]


UNITS = ["zookeeper", "mesos-master", "mesos-agent"]
NOTHING = {"passes": [], "problem": None, "current": []}


def plan(hosts, masters, agents, known=()):
    """Plan a cluster whose hosts are (address, units, flags), for masters and agents by name."""
    cluster = {n: {"address": a, "units": u, "flags": f} for n, (a, u, f) in hosts.items()}
    groups = {"zookeeper": ["m1"], "mesos_masters": masters, "mesos_agents": agents}
    info = {"leader": {"address": "10.0.0.1:5050"}, "agents": list(known), "recovered_agents": []}
    want = {"zk": ["10.0.0.1:2181"], "quorum": len(masters) // 2 + 1}
    return cluster_plan(cluster, groups, want, info, NOTHING, False)


MASTER = {"master": {"zk": "zk://u:p@10.0.0.1:2181/mesos", "quorum": "1"}, "agent": None}
AGENT = {"master": None, "agent": {"master": "zk://10.0.0.1:2181/mesos"}}


def agent(number, *, active=True):
    """Return an agent as mesos_info tells it."""
    address = f"10.0.0.{number}:5051"
    return {"id": f"S{number}", "address": address, "active": active, "deactivated": False}


def test_an_agent_that_is_added_restarts_nothing():
    """Who runs with the wanted flags stays as it is."""
    hosts = {
        "m1": ("10.0.0.1", UNITS[:2], MASTER),
        "a1": ("10.0.0.21", UNITS[2:], AGENT),
        "a2": ("10.0.0.22", [], {"master": None, "agent": None}),
    }
    result = plan(hosts, ["m1"], ["a1", "a2"], [agent(21)])
    assert result["steps"] == ["Agents: start a2"]


def test_agents_that_leave_are_drained_and_dead_ones_only_marked():
    """An agent that no host of the inventory is goes; drained only where it can be."""
    hosts = {"m1": ("10.0.0.1", UNITS[:2], MASTER), "a1": ("10.0.0.21", UNITS[2:], AGENT)}
    known = [agent(21), agent(22), agent(23, active=False)]
    gone = plan(hosts, ["m1"], ["a1"], known)["agents"]["gone"]
    assert [(one["id"], one["drain"]) for one in gone] == [("S22", True), ("S23", False)]


def test_the_quorum_of_masters_rises_by_one():
    """The registry's log would not live through more."""
    flags = {"master": {**MASTER["master"], "quorum": "2"}, "agent": None}
    hosts = {f"m{n}": (f"10.0.0.{n}", UNITS[:2], flags) for n in (1, 2, 3)}
    hosts |= {f"m{n}": (f"10.0.0.{n}", [], {"master": None, "agent": None}) for n in range(4, 8)}
    (problem,) = plan(hosts, list(hosts), ["m1"])["problems"]
    assert "two masters at a time" in problem


def test_addresses_are_compared_without_accounts():
    """The account in a zk:// address is nothing that a plan looks at."""
    assert endpoints("zk://user:secret@b:2181,a:2181/mesos") == ["a:2181", "b:2181"]
