"""What the modules of the core share: settings, state, allocator, clock, and the actions made.

A decision that must outlive this master is first written to the registry; what follows from it is
done when the write is safe (``store``). Meanwhile its subjects, agents above all, are busy, and
whoever else decides about them waits for his turn (``postpone``).
"""

from collections.abc import Callable, Iterable, Sequence

from pocket_mesos.allocator import HierarchicalAllocator
from pocket_mesos.master import actions, framework_metrics
from pocket_mesos.master.events import Timer
from pocket_mesos.master.state import Agent, Config, Framework, State
from pocket_mesos.protocol import link, scheduler
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import TaskStatus
from pocket_mesos.registry.records import Change

Act = Callable[[], None]


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
        self._numbers = 0
        self._ticket: int | None = None
        """Names the request in hand when its answer has to wait."""
        self._late = False
        """Whether what is in hand is the rest of an earlier event."""
        self._writes: dict[int, tuple[int, Sequence[str], Act]] = {}
        """By number: ticket, who is busy, and what to do when the write is safe."""
        self._waiting: dict[str, list[tuple[int, Act]]] = {}
        """By who is busy: what waits for the end of that, with its ticket."""

    # --- actions ---------------------------------------------------------------------------

    def log(self, message: str, level: str = "INFO") -> None:
        """Write to the log."""
        self.actions.append(actions.Log(message=message, level=level))

    def respond(self, status: int, body: str = "") -> None:
        """Answer the request in hand."""
        ticket = self._ticket if self._late else None
        self.actions.append(actions.Respond(status=status, body=body, ticket=ticket))

    def send(self, framework: Framework, event: scheduler.Event) -> None:
        """Send an event to a framework if it is connected."""
        if framework.stream_id is not None:
            framework_metrics.told(framework, event)
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

    # --- registry --------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Turn to a new event."""
        self.now = now
        self._ticket, self._late = None, False

    def store(self, changes: Sequence[Change], busy: Sequence[str], then: Act) -> None:
        """Write to the registry; do ``then`` when the changes are safe.

        Args:
            changes: what is written, all or nothing.
            busy: whom it is about: until then, others are postponed who are about them.
            then: takes the changes into effect.
        """
        number = self._next_number()
        self._writes[number] = (self._take_ticket(), busy, then)
        for name in busy:
            assert name not in self._waiting, f"{name} is busy"
            self._waiting[name] = []
        self.actions.append(actions.Store(number=number, changes=list(changes)))

    def stored(self, number: int) -> None:
        """Go on with what a write was for, and then with what waited for it."""
        ticket, busy, then = self._writes.pop(number)
        released = [one for name in busy for one in self._waiting.pop(name)]
        for ticket_, act in [(ticket, then), *released]:
            self._ticket, self._late = ticket_, True
            act()

    def postpone(self, about: Iterable[str], act: Act) -> bool:
        """Do ``act`` later if somebody whom it is about is busy; return whether that is so."""
        for name in about:
            if name in self._waiting:
                self._waiting[name].append((self._take_ticket(), act))
                return True
        return False

    def is_busy(self, name: str) -> bool:
        """Whether something about somebody is being written."""
        return name in self._waiting

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _take_ticket(self) -> int:
        """Return the ticket of the request in hand, and promise its answer for later."""
        if self._ticket is None:
            self._ticket = self._next_number()
            self.actions.append(actions.AnswerLater(ticket=self._ticket))
        return self._ticket

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
