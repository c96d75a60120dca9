"""What the rolling playbooks decide: what is wrong, what forbids a change, who is before whom."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load(path: str) -> ModuleType:
    """Import a file of the playbooks."""
    file = ROOT / "playbooks" / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cluster = load("filter_plugins/cluster.py")
configuration = load("module_utils/mesos_configuration.py")

HOSTS = {
    "servers": {"control1": "10.0.0.1:2181"},
    "masters": {"control1": "10.0.0.1:5050", "control2": "10.0.0.2:5050"},
    "agents": {"agent1": "10.0.0.3:5051"},
}


def master(number: int, **state: object) -> dict[str, object]:
    """Return a master that follows, unless the state says otherwise."""
    healthy = {"reachable": True, "leader": False, "version": "1.12.0", "error": None}
    return {"address": f"10.0.0.{number}:5050", **healthy, **state}


def agent(**state: object) -> dict[str, object]:
    """Return an agent in service, unless the state says otherwise."""
    healthy = {"active": True, "deactivated": False, "draining": None, "version": "1.12.0"}
    return {"address": "10.0.0.3:5051", **healthy, **state}


def kinds(masters: list[object], agents: list[object], **ensemble: object) -> list[tuple[str, str]]:
    """Return kind and host of every problem of a cluster."""
    leaders = [one for one in masters if one["leader"]]
    told = {
        "masters": masters,
        "agents": agents,
        "leader": leaders[0] if len(leaders) == 1 else None,
    }
    servers = {"quorum": True, "servers": [{"address": "10.0.0.1:2181", "error": None}]}
    found = cluster.problems(told, {**servers, **ensemble}, HOSTS)
    assert all(problem["text"] for problem in found)
    return [(problem["kind"], problem["host"]) for problem in found]


SERVERS = {"control1": "10.0.0.1:2181", "control2": "10.0.0.2:2181"}
RIGHT = ["10.0.0.1", "10.0.0.2", "10.0.0.1:2181,10.0.0.2:2181"]


@pytest.mark.parametrize(
    ("lines", "odd"),
    [
        (RIGHT, None),
        ([], None),
        (["10.0.0.1", "10.0.0.9", RIGHT[2]], "10.0.0.2, 10.0.0.9"),
        (["10.0.0.1"], "10.0.0.2"),
        ([*RIGHT, "10.0.0.1:2181"], "10.0.0.2:2181"),
        (["10.0.0.1:2181,10.0.0.2:2182"], "10.0.0.2:2181, 10.0.0.2:2182"),
    ],
)
def test_a_configuration_that_names_other_servers_is_told(lines, odd):
    """Of a server's own ensemble, or of the address that a master or an agent was given."""
    found = cluster.misnamed({"control1": RIGHT, "agent1": lines}, SERVERS)
    assert [problem["host"] for problem in found] == ["agent1"] * (odd is not None)
    assert odd is None or found[0]["text"].endswith(f": {odd}")


def test_a_whole_cluster_has_no_problems():
    """Everybody there and of one version: nothing to say."""
    assert kinds([master(1, leader=True), master(2)], [agent()]) == []


@pytest.mark.parametrize(
    ("masters", "agents", "expected"),
    [
        ([master(1, leader=True), master(2, reachable=False)], [agent()], [("master", "control2")]),
        ([master(1), master(2)], [], [("leader", "")]),
        ([master(1, leader=True), master(2, leader=True)], [], [("leader", "")]),
        ([master(1, leader=True), master(2)], [], [("agent", "agent1")]),
        ([master(1, leader=True), master(2)], [agent(active=False)], [("agent", "agent1")]),
        (
            [master(1, leader=True), master(2)],
            [agent(active=False, deactivated=True, draining="DRAINED")],
            [("drained", "agent1")],
        ),
        (
            [master(1, leader=True), master(2)],
            [agent(), agent(address="10.0.0.9:5051")],
            [("stranger", "")],
        ),
        ([master(1, leader=True, version="1.11.0"), master(2)], [agent()], [("versions", "")]),
    ],
)
def test_each_problem_is_named(masters, agents, expected):
    """Whatever is wrong is told with its kind and, where there is one, its host."""
    assert kinds(masters, agents) == expected


def test_an_ensemble_without_quorum_is_named():
    """Each server that is down, and the lack of a quorum."""
    down = [{"address": "10.0.0.1:2181", "error": "does not answer"}]
    found = kinds([master(1, leader=True), master(2)], [agent()], quorum=False, servers=down)
    assert found == [("server", "control1"), ("quorum", "")]


def test_what_is_down_forbids_a_change_of_others_and_not_its_own():
    """A broken master may be mended by the change; a sound one must not be changed beside it."""
    found = [
        {"kind": "master", "host": "control1", "text": "control1 is down"},
        {"kind": "leader", "host": "", "text": "no leader"},
        {"kind": "drained", "host": "agent1", "text": "agent1 is drained"},
    ]
    mending = {"server": [], "master": ["control1", "control2"], "agent": []}
    assert cluster.obstacles(found, mending) == []
    other = {"server": [], "master": ["control2"], "agent": []}
    assert cluster.obstacles(found, other) == ["control1 is down", "no leader"]


def test_the_broken_come_first_and_the_leader_last():
    """The order begins with hosts whose service is down and ends with the one that leads."""
    addresses = {"a": "1", "b": "2", "c": "3"}
    working = [{"address": "1"}, {"address": "2"}]
    assert cluster.order(["a", "b", "c"], addresses, working, "1") == ["c", "b", "a"]
    assert cluster.order(["a", "b"], addresses, working, None) == ["a", "b"]


OFFERED = {"cpus": 4.0, "mem": 2048.0, "ports": "[31000-32000]"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("cpus:4;mem:2048", "mem:2048.0; cpus:4", "none"),
        ("", "", "none"),
        ("", "cpus:4", "none"),  # declared now, and as it was detected
        ("cpus:2", "cpus:4", "additive"),
        ("cpus:2", "cpus:2;gpus:1", "additive"),
        ("ports:[31000-32000]", "ports:[30000-30999,31000-32000]", "additive"),
        ("disk:{a,b}", "disk:{b,a,c}", "additive"),
        ("cpus:4", "cpus:2", "incompatible"),
        ("cpus:4;mem:512", "cpus:8", "incompatible"),  # mem will be detected: nobody knows
        ("ports:[31000-32000]", "ports:[31000-31500]", "incompatible"),
        ("cpus(ads):4", "cpus:4", "incompatible"),
        ('[{"name":"cpus","type":"SCALAR","scalar":{"value":4}}]', "cpus:4", "none"),
        (
            '[{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":9}]}}]',
            "ports:[1-5]",
            "incompatible",
        ),
    ],
)
def test_changes_of_resources(old, new, expected):
    """More and new is additive; less, gone or another is not; spelling is nothing."""
    found = configuration.compare_resources(old, new, OFFERED)
    assert configuration.change(found) == expected
    assert all(one.text for one in found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("rack:a;zone:z", "zone:z;rack:a", "none"),
        ("rack:a", "rack:a;zone:z", "additive"),
        ("rack:a", "rack:b", "incompatible"),
        ("rack:a", "", "incompatible"),
    ],
)
def test_changes_of_attributes(old, new, expected):
    """A new attribute is additive; one that is gone or has another value is not."""
    assert configuration.change(configuration.compare_attributes(old, new)) == expected
