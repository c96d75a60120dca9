"""What the modules of the core share: settings, state, allocator, clock, and the actions made."""

from pocket_mesos.allocator import HierarchicalAllocator
from pocket_mesos.master import actions
from pocket_mesos.master.events import Timer
from pocket_mesos.master.state import Agent, Config, Framework, State
from pocket_mesos.protocol import link, scheduler
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import TaskStatus


class Master:
    """The core's context; ``core.Core`` hands it to the functions that do the work."""

    def __init__(self, config: Config, allocator: HierarchicalAllocator) -> None:
        self.config = config
        self.state = State()
        self.allocator = allocator
        self.now = 0.0
        """Seconds since the epoch; set for each event."""
        self.actions: list[actions.Action] = []
        self.started = 0.0
        """When this master began to lead."""
        self._dirty: dict[str, None] = {}
        """Agents to allocate, in the order of asking."""

    # --- actions ---------------------------------------------------------------------------

    def log(self, message: str, level: str = "INFO") -> None:
        """Write to the log."""
        self.actions.append(actions.Log(message=message, level=level))

    def respond(self, status: int, body: str = "") -> None:
        """Answer the request in hand."""
        self.actions.append(actions.Respond(status=status, body=body))

    def send(self, framework: Framework, event: scheduler.Event) -> None:
        """Send an event to a framework if it is connected."""
        if framework.stream_id is not None:
            self.actions.append(actions.SendToScheduler(stream_id=framework.stream_id, event=event))

    def send_update(self, framework: Framework, status: TaskStatus) -> None:
        """Send a status update to a framework if it is connected."""
        update = scheduler.Update(status=status)
        self.send(framework, scheduler.Event(type="UPDATE", update=update))

    def tell(self, agent: Agent, event: link.Event) -> None:
        """Send an event to an agent if it is connected."""
        if agent.stream_id is not None:
            self.actions.append(actions.SendToAgent(stream_id=agent.stream_id, event=event))

    def start_timer(self, timer: Timer, delay: float) -> None:
        """Start a timer."""
        self.actions.append(actions.StartTimer(timer=timer, delay=delay))

    def count(self, name: str, by: int = 1) -> None:
        """Count something that /metrics/snapshot shows."""
        self.state.counters[name] = self.state.counters.get(name, 0) + by

    # --- what operators decide -------------------------------------------------------------

    def decide(self, agent_id: str, deactivation: Deactivation | None) -> None:
        """Enter what operators have decided about an agent; None: nothing, it gets offers."""
        self.state.draining.discard(agent_id)
        if deactivation is None:
            self.state.deactivations.pop(agent_id, None)
            return
        self.state.deactivations[agent_id] = deactivation
        if deactivation.draining is not None:
            self.state.draining.add(agent_id)

    # --- allocation ------------------------------------------------------------------------

    def want_allocation(self, agent_ids: list[str] | None = None) -> None:
        """Ask for an allocation of some agents, or of all, in this turn."""
        if not self._dirty:
            self.actions.append(actions.RequestAllocation())
        self._dirty.update(dict.fromkeys(self.state.agents if agent_ids is None else agent_ids))

    def take_wanted(self) -> list[str]:
        """Return the agents that an allocation was asked for."""
        wanted = list(self._dirty)
        self._dirty.clear()
        return wanted
