"""The failover drill's own logic: whom it picks, what counts as recovered, what it reports."""

import base64
import subprocess
import sys
from pathlib import Path

import failover_drill as drill
import pytest
from failover_world import MILESTONES, Sight, World, is_under_way

CHECK = Path(__file__).parents[2] / "playbooks/files/failover_drill/check_count.py"

MASTERS = ["10.0.0.1:5050", "10.0.0.2:5050", "10.0.0.3:5050"]
SERVERS = ["10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"]
AGENTS = ["10.0.0.4:5051", "10.0.0.5:5051"]
GROUPS = {
    "masters": dict(zip(MASTERS, ("a", "b", "c"), strict=True)),
    "zookeeper": dict(zip(SERVERS, ("a", "b", "c"), strict=True)),
    "agents": dict(zip(AGENTS, ("d", "e"), strict=True)),
    "clients": ["a"],
    "addresses": {name: f"10.0.0.{number}" for number, name in enumerate("abcde", 1)},
}


def agents(first: bool, second: bool) -> dict[str, dict]:
    active = zip(AGENTS, ("S0", "S1"), (first, second), strict=True)
    return {address: {"id": name, "active": up} for address, name, up in active}


def task(name: str, state: str = "TASK_RUNNING", agent: str = "S0") -> dict:
    return {"id": name, "state": state, "slave_id": agent}


def count(*tasks: dict, done: tuple = (), offers: tuple = (), active: bool = True) -> dict:
    return {
        "active": active,
        "connected": active,
        "tasks": list(tasks),
        "completed_tasks": list(done),
        "unreachable_tasks": [],
        "offers": list(offers),
    }


class Scene:
    """A world in which a count is under way, and what is seen of it one after the other."""

    def __init__(self, kind: str, victim: str) -> None:
        self.world = World(kind, victim, MASTERS, SERVERS)
        self.clock = 0.0
        self.watched = False
        self.see("master", MASTERS[1], names="10.0.0.1:5050")
        self.see("agent", AGENTS[0], containers={"c1": 11})
        running = [task("t2"), task("t3", agent="S1")]
        leading = count(*running, done=(task("t1", "TASK_FINISHED"),))
        self.see("master", MASTERS[0], agents=agents(True, True), count=leading)
        assert is_under_way(self.world)
        self.world.all_is_well()
        # A partition just begins; other accidents are made.
        self.watched = self.world.is_cut

    def see(self, kind: str, address: str, **seen: object) -> None:
        """Take what a daemon answers; nothing for one that does not answer."""
        asked, self.clock = self.clock + 0.1, self.clock + 0.2
        self.world.take(Sight((kind, address), asked, self.clock, seen or None))
        for name, is_reached in MILESTONES[self.world.kind].items() if self.watched else ():
            if name not in self.world.reached and is_reached(self.world):
                self.world.reached[name] = self.world.now

    def strike(self) -> None:
        self.world.strike(self.clock)
        self.watched = True

    @property
    def reached(self) -> list[str]:
        return list(self.world.reached)


def test_a_new_leader_is_followed_from_the_election_to_the_next_task():
    """Election, service, agents, framework, offer and task are told apart, in this order."""
    scene = Scene("leading_master", MASTERS[0])
    scene.strike()
    scene.see("master", MASTERS[0])
    scene.see("master", MASTERS[1], names="10.0.0.1:5050")
    assert scene.reached == []
    scene.see("master", MASTERS[1], names="10.0.0.3:5050")
    assert scene.reached == ["leader_elected"]
    scene.see("master", MASTERS[2], agents={})
    assert scene.reached[-1] == "leader_serving"
    scene.see("master", MASTERS[2], agents=agents(True, True))
    assert scene.reached[-1] == "agents_registered"
    known = (task("t1", "TASK_FINISHED"),)
    scene.see(
        "master", MASTERS[2], agents=agents(True, True), count=count(done=known, active=False)
    )
    assert scene.reached[-1] == "agents_registered"
    scene.see("master", MASTERS[2], agents=agents(True, True), count=count(task("t2"), done=known))
    assert scene.reached[-1] == "framework_subscribed"
    offered = count(task("t2"), offers=({"slave_id": "S0"},))
    scene.see("master", MASTERS[2], agents=agents(True, True), count=offered)
    assert scene.reached[-1] == "first_offer"
    scene.see("master", MASTERS[2], agents=agents(True, True), count=count(task("t4")))
    assert scene.reached == list(MILESTONES["leading_master"])


def test_what_was_asked_before_the_accident_tells_nothing_after_it():
    """An answer that was on its way when the leader was killed is not taken for a new leader."""
    scene = Scene("leading_master", MASTERS[0])
    before = Sight(("master", MASTERS[0]), scene.clock, scene.clock + 1, {"agents": {}})
    scene.clock += 0.5
    scene.strike()
    scene.world.take(before)
    assert scene.world.leader is None


def test_the_master_that_is_cut_off_is_no_new_leader():
    """What the old leader still says of itself does not end a partition."""
    scene = Scene("master_partition", MASTERS[0])
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t9")))
    assert scene.reached == []
    scene.see("master", MASTERS[1], names="10.0.0.3:5050")
    assert scene.reached == ["leader_elected"]


def test_an_agent_is_back_only_after_it_was_missed():
    """Disconnection is noticed first; new work has to be on that agent."""
    scene = Scene("agent", AGENTS[0])
    scene.strike()
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t4")))
    assert scene.reached == []
    scene.see("master", MASTERS[0], agents=agents(False, True), count=count(task("t4")))
    assert scene.reached == ["agent_disconnected"]
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t5", agent="S1")))
    assert scene.reached[-1] == "agent_registered"
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t6")))
    assert scene.reached == list(MILESTONES["agent"])


def test_a_lost_host_is_given_up_and_the_count_does_without():
    """A count that ended before the masters noticed is no reason to repeat the round."""
    scene = Scene("agent_host", AGENTS[0])
    scene.see("agent", AGENTS[0], containers={"c1": 11})
    heard = scene.clock
    scene.see("agent", AGENTS[0])
    scene.see("master", MASTERS[0], agents=agents(True, True), over=True)
    assert (scene.reached, scene.world.heard, scene.world.is_void) == ([], heard, False)
    scene.see("master", MASTERS[0], agents={AGENTS[1]: {"id": "S1", "active": True}}, over=True)
    assert scene.reached == list(MILESTONES["agent_host"])


def test_an_executor_is_replaced_by_another_container():
    """The loss of its tasks is the detection; the same container is no replacement."""
    scene = Scene("executor", AGENTS[0])
    scene.strike()
    scene.see("agent", AGENTS[0], containers={"c1": 11})
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t2")))
    assert scene.reached == []
    lost = (task("t2", "TASK_FAILED"),)
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(done=lost))
    assert scene.reached == ["task_lost"]
    scene.see("agent", AGENTS[0], containers={"c2": 12})
    assert scene.reached[-1] == "executor_replaced"
    scene.see("master", MASTERS[0], agents=agents(True, True), count=count(task("t4"), done=lost))
    assert sorted(scene.reached) == sorted(MILESTONES["executor"])


def test_an_ensemble_is_whole_when_every_server_has_a_place():
    """Leader, quorum and the last server are told apart."""
    scene = Scene("zookeeper_leader", SERVERS[0])
    scene.strike()
    scene.see("zookeeper", SERVERS[1], mode="follower")
    scene.see("zookeeper", SERVERS[2], mode=None)
    assert scene.reached == []
    scene.see("zookeeper", SERVERS[2], mode="leader")
    assert scene.reached == ["server_elected", "quorum"]
    scene.see("zookeeper", SERVERS[0], mode="follower")
    assert scene.reached[-1] == "ensemble_whole"


@pytest.mark.parametrize("given", ["[agent,executor]", "agent, executor", ["agent", "executor"]])
def test_kinds_are_read_from_lists_and_from_text(given):
    """What -e makes of a list is as good as a list."""
    assert drill.kinds(given) == ["agent", "executor"]


def test_small_clusters_are_refused_with_the_way_out():
    """One machine can have neither a leader killed unasked nor a partition."""
    one = {**GROUPS, "masters": {MASTERS[0]: "a"}, "zookeeper": {SERVERS[0]: "a"}}
    told = drill.refusals(["leading_master", "zookeeper_leader", "master_partition"], one, False)
    assert [line.partition(":")[0] for line in told] == [
        "leading_master",
        "zookeeper_leader",
        "master_partition",
    ]
    assert "failover_drill_allow_outage" in told[0]
    assert drill.refusals(["leading_master", "zookeeper_leader"], one, True) == []
    assert drill.refusals(list(drill.KINDS), GROUPS, False) == []
    assert "takes leading_master" in drill.refusals(["master"], GROUPS, False)[0]


def test_what_a_cluster_lacks_is_named():
    """Each server, master and agent that is missing is a line."""
    cluster = {
        "leader": None,
        "masters": [{"error": "10.0.0.1:5050 does not answer: refused"}],
        "agents": [{"address": AGENTS[0], "active": True}],
    }
    ensemble = {"quorum": False, "servers": [{"address": SERVERS[0], "error": "does not answer"}]}
    assert drill.problems(cluster, ensemble, AGENTS) == [
        "ZooKeeper 10.0.0.1:2181: does not answer",
        "ZooKeeper has no quorum",
        "master 10.0.0.1:5050 does not answer: refused",
        "no master leads",
        "agent 10.0.0.5:5051 is not registered",
    ]


def test_victims_are_who_leads_and_each_agent_in_turn():
    """Accidents that watch from the victim's node do so; a node that is cut off is watched."""
    cluster, ensemble = {"leader": {"address": MASTERS[1]}}, {"leader": SERVERS[2]}

    def chosen(kind: str, turn: int = 1) -> dict:
        return drill.choice(kind, cluster, ensemble, GROUPS, turn)

    assert chosen("leading_master")["host"] == "b"
    assert chosen("zookeeper_leader")["victim"] == SERVERS[2]
    assert [chosen("agent", turn)["host"] for turn in (1, 2, 3)] == ["d", "e", "d"]
    cut = chosen("master_partition")
    assert (cut["host"], cut["watcher"], cut["client"]) == ("b", "a", "a")
    assert cut["others"] == ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5"]
    cluster["leader"]["address"] = MASTERS[0]
    assert chosen("master_partition")["client"] is None


@pytest.mark.parametrize(("capabilities", "expected"), [("a82435fb", []), ("a82425fb", ["a"])])
def test_a_node_without_net_admin_is_named(capabilities, expected):
    """Bit 12 of the effective capabilities decides."""
    status = f"Name:\tcat\nCapInh:\t0\nCapEff:\t00000000{capabilities}\n"
    slurped = {"item": "a", "content": base64.b64encode(status.encode()).decode()}
    assert drill.confined([slurped]) == expected


def one_round(**changed: object) -> dict:
    return {
        "kind": "agent",
        "round": 1,
        "host": "d",
        "what": "kill -9",
        "times": {"agent_disconnected": 0.1},
        "exact": True,
        "problem": "",
        **changed,
    }


def test_times_are_counted_from_the_accident():
    """Also where the accident is told after the first milestone, as of a partition."""
    events = [
        {"event": "leader_elected", "at": 112.5},
        {"event": "fault", "at": 100.0},
        {"event": "recovered", "at": 120.0},
    ]
    assert drill.times(events) == {"leader_elected": 12.5}


def test_figures_stand_beside_the_recorded_ones():
    """Median and spread here, those of real Mesos where there are any."""
    recorded = {"source": "here", "kinds": {"agent": {"agent_disconnected": [0.01]}}}
    rounds = [one_round(times={"agent_disconnected": s, "first_offer": 5.0}) for s in (1, 2, 6)]
    rows = drill.figures(rounds, recorded)
    assert rows[0]["here"] == {"n": 3, "min": 1, "median": 2, "max": 6}
    assert rows[0]["recorded"]["median"] == 0.01
    assert rows[1]["recorded"] is None
    assert any("2.0 (1.0 to 6.0)" in line for line in drill.table(rounds, recorded))


@pytest.mark.parametrize(
    ("rounds", "last"),
    [
        ([one_round()], "PASSED: 1 of 1 counts exact, each through an accident"),
        ([one_round(exact=False, problem="2 words")], "FAILED: 0 of 1 counts exact"),
        ([], "FAILED: 0 of 1 counts exact"),
    ],
)
def test_the_verdict_is_about_all_rounds(rounds, last):
    """A round that was not begun is as bad as one that went wrong."""
    assert drill.verdict(rounds, 1)[-1].startswith(last)


def test_a_round_that_was_not_recovered_from_says_what_is_missing():
    """The milestones that were not reached are named in words."""
    ending = {"event": "gave_up", "missing": ["first_offer"]}
    assert drill.shortcoming(ending).endswith("missing: first new offer")
    assert drill.shortcoming({"event": "recovered", "missing": []}) == ""


@pytest.mark.parametrize(
    ("rows", "status", "told"),
    [
        (b"b\t4\na\t2\n\xff\t2\n", 0, "exact: 3 different words, 8 in all"),
        (b"b\t4\na\t3\n\xff\t2\n", 1, "'a': expected 2, found 3"),
        (b"b\t4\na\t2\n", 1, "'\\udcff': expected 2, found 0"),
        (b"b\t4\na\t2\n\xff\t2\nc\t1\n", 1, "'c': expected 0, found 1"),
    ],
)
def test_a_count_is_compared_word_by_word(tmp_path, rows, status, told):
    """A word too many, too few or miscounted is named; bytes that are no UTF-8 are words, too."""
    text, result = tmp_path / "text", tmp_path / "counts.tsv"
    text.write_bytes(b"a b\nb \xff\n")
    result.write_bytes(rows)
    command = [sys.executable, str(CHECK), str(text), "2", str(result)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, told in done.stdout) == (status, True), done.stdout
