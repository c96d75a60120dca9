"""What a drill's watcher knows of a cluster, and when an accident is noticed and recovered from.

The core of the module failover_accident, without any I/O: it takes what was seen, and says which
milestones are reached. Runs on nodes: the standard library, no syntax newer than 3.9.
"""

from __future__ import annotations

ENDED = ("TASK_FINISHED", "TASK_KILLED")
"""States of tasks that ended as they should."""

LOST = ("TASK_LOST", "TASK_FAILED", "TASK_UNREACHABLE", "TASK_GONE", "TASK_DROPPED")
"""States of tasks that ended otherwise."""


class Sight:
    """What one daemon answered to one question (None: nothing), when it was asked and answered."""

    def __init__(self, source: tuple[str, str], asked: float, at: float, seen: dict | None) -> None:
        self.source = source
        self.asked = asked
        self.at = at
        self.seen = seen


class World:
    """What is known of the cluster, before the accident and since; the core, without any I/O."""

    def __init__(self, kind: str, victim: str, masters: list[str], servers: list[str]) -> None:
        self.kind = kind
        self.victim = victim
        self.masters: dict[str, dict | None] = dict.fromkeys(masters)
        self.servers: dict[str, dict | None] = dict.fromkeys(servers)
        self.containers: dict = {}
        self.before: dict = {}
        """The leader's last answer before the accident."""
        self.fault: float | None = None
        """When the accident was made here; None where it is watched from elsewhere."""
        self.named: set[str] = set()
        """Whom the masters named as the leader while all was well, in their words."""
        self.heard: float | None = None
        """When the victim last answered."""
        self.now = 0.0
        """When the last sight was had."""
        self.reached: dict[str, float] = {}
        """When each milestone was reached."""

    @property
    def leader_address(self) -> str | None:
        """The master that leads and serves; never the one that is cut off."""
        for address, seen in self.masters.items():
            if seen and "agents" in seen and not (self.is_cut and address == self.victim):
                return address
        return None

    @property
    def leader(self) -> dict | None:
        """What that master answered."""
        return self.masters.get(self.leader_address) if self.leader_address else None

    @property
    def count_is_over(self) -> bool:
        """Whether the count has ended."""
        return bool(self.leader and self.leader.get("over"))

    @property
    def is_void(self) -> bool:
        """Whether the count ended too early to show anything.

        One that ends without the lost agent, before Mesos gives that up, shows all there is.
        """
        return self.count_is_over and self.kind != "agent_host"

    @property
    def is_cut(self) -> bool:
        """Whether the accident is that a node loses the network."""
        return self.kind in ("master_partition", "agent_host")

    def take(self, sight: Sight) -> None:
        """Learn what was seen; what was asked for before the accident tells nothing after it."""
        kind, address = sight.source
        self.now = sight.at
        if self.fault is not None and sight.asked < self.fault:
            return
        if kind == "master":
            self.masters[address] = sight.seen
            if address == self.victim and sight.seen:
                self.heard = sight.at
            self._remember(address, sight.seen or {})
        elif kind == "zookeeper":
            self.servers[address] = sight.seen
        else:
            self.containers = (sight.seen or {}).get("containers", {})
            if sight.seen:
                self.heard = sight.at

    def _remember(self, address: str, seen: dict) -> None:
        if self.fault is not None or self.reached:
            return
        if self.kind == "master_partition" and address != self.victim:
            return
        if seen.get("count"):
            self.before = {**seen, "leader": address}

    def all_is_well(self) -> None:
        """Know that the count is under way, and the accident about to happen."""
        self.named = {seen["names"] for seen in self.masters.values() if seen and "names" in seen}

    def strike(self, at: float) -> None:
        """Know that the accident has just happened: nothing that was seen holds any more."""
        self.fault = at
        self.masters = dict.fromkeys(self.masters)
        self.servers = dict.fromkeys(self.servers)
        self.before["containers"] = self.containers
        self.containers = {}

    # What the milestones are made of.

    def tasks(self, here: bool = False) -> list[dict]:
        """Return the count's tasks, or those on the agent that the accident is about."""
        count = (self.leader or {}).get("count") or {}
        found = [
            task
            for kind in ("tasks", "completed_tasks", "unreachable_tasks")
            for task in count.get(kind, [])
        ]
        return [task for task in found if not here or task["slave_id"] == self.agent_id]

    @property
    def agent_id(self) -> str | None:
        agents = self.before.get("agents", {})
        return agents[self.victim]["id"] if self.victim in agents else None

    def live_before(self) -> set[str]:
        """Return the ids of the tasks that lived on the agent when the accident happened."""
        tasks = (self.before.get("count") or {}).get("tasks", [])
        return {task["id"] for task in tasks if task["slave_id"] == self.agent_id}

    def new_tasks(self, here: bool = False) -> list[dict]:
        """Return the tasks that were launched after the accident."""
        count = self.before.get("count") or {}
        known = {
            task["id"] for kind in ("tasks", "completed_tasks") for task in count.get(kind, [])
        }
        return [task for task in self.tasks(here) if task["id"] not in known]

    def lost_tasks(self) -> list[dict]:
        """Return tasks that lived on the agent and ended otherwise than they should."""
        live = self.live_before()
        return [task for task in self.tasks() if task["id"] in live and task["state"] in LOST]

    def offers(self, here: bool = False) -> list[dict]:
        count = (self.leader or {}).get("count") or {}
        return [o for o in count.get("offers", []) if not here or o["slave_id"] == self.agent_id]


# The milestones of each kind, in the order in which they are told. The first is the detection.


def another_leader_is_known(world: World) -> bool:
    others = {a: seen for a, seen in world.masters.items() if seen and a != world.before["leader"]}
    named = {seen["names"] for seen in others.values() if "names" in seen}
    return bool(named - world.named) or a_leader_serves(world)


def a_leader_serves(world: World) -> bool:
    return world.leader is not None


def all_agents_are_registered(world: World) -> bool:
    agents = (world.leader or {}).get("agents", {})
    return all(agents.get(address, {}).get("active") for address in world.before["agents"])


def the_count_is_subscribed(world: World) -> bool:
    count = (world.leader or {}).get("count")
    return bool(count and count["active"] and count["connected"])


def the_count_gets_an_offer(world: World) -> bool:
    return the_count_is_subscribed(world) and bool(world.offers() or world.new_tasks())


def _runs(tasks: list[dict]) -> bool:
    return any(task["state"] in ("TASK_RUNNING", *ENDED) for task in tasks)


def a_new_task_runs(world: World) -> bool:
    return the_count_is_subscribed(world) and _runs(world.new_tasks())


def _modes(world: World) -> list[str]:
    return [seen["mode"] for seen in world.servers.values() if seen and seen["mode"]]


def another_server_leads(world: World) -> bool:
    return any(mode in ("leader", "standalone") for mode in _modes(world))


def ensemble_has_a_quorum(world: World) -> bool:
    return another_server_leads(world) and len(_modes(world)) > len(world.servers) // 2


def ensemble_is_whole(world: World) -> bool:
    return another_server_leads(world) and len(_modes(world)) == len(world.servers)


def a_leader_serves_a_quorum(world: World) -> bool:
    return ensemble_has_a_quorum(world) and a_leader_serves(world)


def _agent(world: World) -> dict:
    return (world.leader or {}).get("agents", {}).get(world.victim, {})


def the_agent_is_missed(world: World) -> bool:
    return world.leader is not None and not _agent(world).get("active")


def the_agent_is_back(world: World) -> bool:
    return "agent_disconnected" in world.reached and bool(_agent(world).get("active"))


def the_agent_is_offered(world: World) -> bool:
    return the_agent_is_back(world) and bool(world.offers(here=True) or world.new_tasks(here=True))


def a_new_task_runs_there(world: World) -> bool:
    return the_agent_is_back(world) and _runs(world.new_tasks(here=True))


def the_count_does_without(world: World) -> bool:
    return "agent_unreachable" in world.reached and (
        world.count_is_over or _runs(world.new_tasks())
    )


def a_task_is_lost(world: World) -> bool:
    return bool(world.lost_tasks())


def the_executor_is_replaced(world: World) -> bool:
    return bool(world.containers.keys() - world.before["containers"].keys())


def the_agent_is_offered_again(world: World) -> bool:
    return bool(world.offers(here=True) or world.new_tasks(here=True))


def the_replacement_works(world: World) -> bool:
    return _runs(world.new_tasks(here=True))


NEW_LEADER = {
    "leader_elected": another_leader_is_known,
    "leader_serving": a_leader_serves,
    "agents_registered": all_agents_are_registered,
    "framework_subscribed": the_count_is_subscribed,
    "first_offer": the_count_gets_an_offer,
    "count_goes_on": a_new_task_runs,
}
MILESTONES = {
    "leading_master": NEW_LEADER,
    "master_partition": NEW_LEADER,
    "zookeeper_leader": {
        "server_elected": another_server_leads,
        "quorum": ensemble_has_a_quorum,
        "leader_serving": a_leader_serves_a_quorum,
        "ensemble_whole": ensemble_is_whole,
        "count_goes_on": a_new_task_runs,
    },
    "agent": {
        "agent_disconnected": the_agent_is_missed,
        "agent_registered": the_agent_is_back,
        "first_offer": the_agent_is_offered,
        "count_goes_on": a_new_task_runs_there,
    },
    "agent_host": {
        "agent_unreachable": the_agent_is_missed,
        "count_goes_on": the_count_does_without,
    },
    "executor": {
        "task_lost": a_task_is_lost,
        "first_offer": the_agent_is_offered_again,
        "executor_replaced": the_executor_is_replaced,
        "count_goes_on": the_replacement_works,
    },
}


def has_begun(world: World) -> bool:
    """Whether the count has tasks."""
    return bool(world.before.get("count", {}).get("tasks"))


def is_under_way(world: World) -> bool:
    """Whether the count has finished tasks and runs others, on the agent where that matters."""
    count = world.before.get("count")
    if not count or not any(t["state"] == "TASK_FINISHED" for t in count["completed_tasks"]):
        return False
    running = [task for task in count["tasks"] if task["state"] == "TASK_RUNNING"]
    if world.kind in ("agent", "agent_host", "executor"):
        running = [task for task in running if task["slave_id"] == world.agent_id]
    return bool(running) and (world.kind != "executor" or bool(world.containers))
