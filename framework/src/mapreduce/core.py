"""The state of a run: which blocks wait, which tasks run where, what to do about each event.

Pure: `Core.handle(event, now)` returns actions, which `mapreduce.scheduler` carries out. Nothing
here knows PyMesos, sockets or clocks.

A task is an attempt at a block, with an id of its own, so that whatever arrives late, twice or
from an agent that was thought dead is told apart.
"""

from collections import deque
from collections.abc import Sequence

from mapreduce import events, sizing, splits
from mapreduce.events import Action, Event, Executor, Offer
from mapreduce.state import Agent, Attempt, BlockState, State

FAILURES = 3
"""Attempts of one block that its own failure may cost: then the block is at fault."""

LOSSES = 10
"""Attempts of one block that faults around it may cost (agents, executors, masters)."""

STRIKES = 2
"""Executors of one agent that may end before they took up work: then the agent is avoided."""

RECONCILE_AFTER = 10.0
"""Seconds without news of a task until the master is asked about it."""

REFUSE_UNFIT = 5.0
REFUSE_UNNEEDED = 3600.0
"""Seconds for which offers are declined: too small for now, or not needed any more."""

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
    "TASK_UNREACHABLE",
    "TASK_UNKNOWN",
}
"""States after which a task is given up. An unreachable one may come back and still count."""

EXECUTOR_UNHARMED = {
    "REASON_INVALID_OFFERS",
    "REASON_MASTER_DISCONNECTED",
    "REASON_RECONCILIATION",
}
"""Reasons for losing a task that say nothing about its executor."""


class Core:
    """Decides; see the module's head. `sizes` are the inputs', in order."""

    def __init__(self, sizes: Sequence[int | None]) -> None:
        self.sizes = sizes
        self.blocks: list[BlockState] | None = None
        self.waiting: deque[BlockState] = deque()
        self.attempts: dict[str, Attempt] = {}
        self.agents: dict[str, Agent] = {}
        self.executors = 0
        self.connected = False
        self.suppressed = False
        self.over = False
        self.idle_since: float | None = None
        self.trouble = ""
        self.culprit: Executor | None = None

    @property
    def done(self) -> int:
        """Blocks that are counted."""
        return sum(block.state is State.DONE for block in self.blocks or ())

    @property
    def live(self) -> int:
        """Tasks that run or are queued."""
        return sum(len(agent.live) for agent in self.agents.values())

    def idle_for(self, now: float) -> float:
        """Return the seconds for which blocks waited and nothing ran while connected."""
        return now - self.idle_since if self.idle_since is not None else 0.0

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in an event and return what to do, in order."""
        if self.over:
            return []
        actions = self._dispatch(event, now)
        if self._hopeless():
            actions.append(
                events.Fail(
                    message="the executors end before they take up work, "
                    f"the last time with {self.trouble}",
                    executor=self.culprit,
                )
            )
        self._note_idleness(now)
        if any(isinstance(action, events.Finish | events.Fail) for action in actions):
            self.over = True
        return actions

    def _dispatch(self, event: Event, now: float) -> list[Action]:
        match event:
            case events.Registered():
                return self._registered(now)
            case events.Disconnected():
                self.connected = False
                return []
            case events.Offers():
                return self._offers(event.offers, now)
            case events.Update():
                return self._update(event, now)
            case events.ExecutorLost():
                self._executor_lost(event.executor_id)
                return []
            case events.LaunchFailed():
                self._launch_failed(event.task_ids)
                return []
            case events.Tick():
                return self._reconcile(now)

    def _registered(self, now: float) -> list[Action]:
        """Begin anew with a leader: it knows of no suppression, and of tasks from agents only."""
        self.connected = True
        self.suppressed = False
        for attempt in self.attempts.values():
            attempt.heard = now  # agents need time to register with it, too
        return []

    # Offers

    def _offers(self, offers: Sequence[Offer], now: float) -> list[Action]:
        if self.blocks is None:
            self._cut(offers)
            if self._complete():
                return [events.Finish()]
        chosen = self._distribute(offers)
        actions: list[Action] = [
            self._launch(offer, blocks, now) for offer, blocks in chosen if blocks
        ]
        unused = tuple(offer.id for offer, blocks in chosen if not blocks)
        if unused:
            actions.append(events.Decline(offer_ids=unused, refuse=self._refuse()))
        if self.blocks is not None and not self.waiting and not self.suppressed:
            self.suppressed = True
            actions.append(events.Suppress())
        return actions

    def _cut(self, offers: Sequence[Offer]) -> None:
        """Cut the inputs, now that it is known how much can run at once."""
        plans = (sizing.plan(offer) for offer in offers)
        slots = sum(plan.workers for plan in plans if plan is not None)
        if slots == 0 and any(size != 0 for size in self.sizes):
            return
        total = sum(size or 0 for size in self.sizes)
        blocks = splits.cut(self.sizes, splits.block_size(total, slots))
        self.blocks = [BlockState(block) for block in blocks]
        self.waiting.extend(self.blocks)

    def _distribute(self, offers: Sequence[Offer]) -> list[tuple[Offer, list[BlockState]]]:
        """Deal waiting blocks to the offers in turn, so that agents share what there is."""
        chosen: list[tuple[Offer, list[BlockState]]] = [(offer, []) for offer in offers]
        # Of two offers by one agent the second is declined: its executor is reckoned in the first.
        first = {offer.agent_id: offer.id for offer in reversed(offers)}
        room = [self._room(o) if first[o.agent_id] == o.id else 0 for o in offers]
        while self.waiting and any(room):
            for index, (_, blocks) in enumerate(chosen):
                if room[index] and self.waiting:
                    room[index] -= 1
                    blocks.append(self.waiting.popleft())
        return chosen

    def _room(self, offer: Offer) -> int:
        """Return how many tasks the offer can take, preparing an executor where there is none."""
        agent = self.agents.setdefault(offer.agent_id, Agent())
        if agent.strikes >= STRIKES or self.blocks is None:
            return 0
        if not agent.running and not self._prepare(agent, offer):
            return 0
        assert agent.executor is not None  # prepared above
        assert agent.plan is not None
        room = sizing.fits(offer, agent.executor, agent.plan.task_cpus, running=agent.running)
        return max(0, min(room, agent.plan.slots - len(agent.live)))

    def _prepare(self, agent: Agent, offer: Offer) -> bool:
        """Give the agent a new executor, with an id that none had; False if it has no room."""
        plan = sizing.plan(offer)
        if plan is None:
            return False
        self.executors += 1
        agent.plan, agent.started = plan, False
        agent.executor = Executor(
            id=f"mapreduce-{self.executors}",
            agent_id=offer.agent_id,
            workers=plan.workers,
            cpus=sizing.EXECUTOR_CPUS,
            mem=plan.mem,
        )
        return True

    def _launch(self, offer: Offer, blocks: list[BlockState], now: float) -> Action:
        agent = self.agents[offer.agent_id]
        assert agent.executor is not None  # _room saw to it
        assert agent.plan is not None
        tasks = []
        for block in blocks:
            block.attempts += 1
            task_id = f"block-{block.block.number}-try-{block.attempts}"
            block.move(State.LAUNCHED, task_id)
            block.live.add(task_id)
            agent.live.add(task_id)
            self.attempts[task_id] = Attempt(block, agent.executor, now)
            tasks.append(
                events.Task(
                    id=task_id,
                    block=block.block,
                    cpus=agent.plan.task_cpus,
                    mem=sizing.TASK_MEM,
                )
            )
        return events.Launch(
            offer_id=offer.id, executor=agent.executor, tasks=tuple(tasks), refuse=self._refuse()
        )

    def _refuse(self) -> float:
        return REFUSE_UNFIT if self.waiting or self.blocks is None else REFUSE_UNNEEDED

    # Tasks

    def _update(self, update: events.Update, now: float) -> list[Action]:
        attempt = self.attempts.get(update.task_id)
        if attempt is None:
            return []
        attempt.heard = now
        agent = self.agents[attempt.executor.agent_id]
        if update.from_executor and agent.executor == attempt.executor:
            agent.started, agent.strikes = True, 0
        if update.state not in TERMINAL:
            return []
        if update.state == "TASK_FINISHED" and update.intact:
            return self._finished(update.task_id, attempt)
        if update.state == "TASK_FINISHED" and not update.from_executor:
            return []  # the master's word, without the receipt; the executor's is under way
        return self._lost(update, attempt)

    def _finished(self, task_id: str, attempt: Attempt) -> list[Action]:
        self._give_up(task_id, attempt)
        block = attempt.block
        if block.state is State.DONE:
            return []
        if block.state is State.WAITING:
            self.waiting.remove(block)
        block.move(State.DONE, task_id)
        actions: list[Action] = [events.Count(task_id=task_id, block=block.block)]
        for other in sorted(block.live):
            self._give_up(other, self.attempts[other])
            actions.append(events.Kill(task_id=other))
        if self._complete():
            actions.append(events.Finish())
        return actions

    def _lost(self, update: events.Update, attempt: Attempt) -> list[Action]:
        if not attempt.live:
            return []
        self._give_up(update.task_id, attempt)
        if not update.from_executor and update.reason not in EXECUTOR_UNHARMED:
            self._forget_executor(attempt.executor)
        block = attempt.block
        own = update.from_executor and update.state == "TASK_FAILED"
        block.failures += own
        block.losses += not own
        self.trouble, self.culprit = _describe(update), attempt.executor
        if block.state is State.LAUNCHED and not block.live:
            block.move(State.WAITING, self.trouble)
            self.waiting.appendleft(block)
        if block.failures >= FAILURES or block.losses >= LOSSES:
            return [self._fail_block(block, update, attempt)]
        return self._revive()

    def _fail_block(self, block: BlockState, update: events.Update, attempt: Attempt) -> Action:
        count = block.failures if block.failures >= FAILURES else block.losses
        what = "failed" if block.failures >= FAILURES else "was lost"
        return events.Fail(
            message=f"block {block.block.number} {what} {count} times, "
            f"the last time with {_describe(update)}",
            executor=None if update.from_executor else attempt.executor,
        )

    def _hopeless(self) -> bool:
        """Whether nothing runs and every agent known is avoided."""
        avoided = [agent.strikes >= STRIKES for agent in self.agents.values()]
        return bool(self.waiting) and bool(avoided) and all(avoided) and self.live == 0

    def _revive(self) -> list[Action]:
        if not self.waiting or not self.suppressed:
            return []
        self.suppressed = False
        return [events.Revive()]

    def _give_up(self, task_id: str, attempt: Attempt) -> None:
        attempt.live = False
        attempt.block.live.discard(task_id)
        self.agents[attempt.executor.agent_id].live.discard(task_id)

    # Executors

    def _executor_lost(self, executor_id: str) -> None:
        """Forget the executor only: its tasks' own updates follow."""
        for agent in self.agents.values():
            if agent.executor is not None and agent.executor.id == executor_id:
                self._forget_executor(agent.executor)

    def _forget_executor(self, executor: Executor) -> None:
        agent = self.agents[executor.agent_id]
        if agent.executor == executor:
            agent.strikes += not agent.started
            agent.executor = None
            agent.started = False

    # Time

    def _launch_failed(self, task_ids: Sequence[str]) -> None:
        """Ask soon: the tasks may run, or the master may never have heard of them."""
        for task_id in task_ids:
            self.attempts[task_id].heard -= RECONCILE_AFTER / 2

    def _reconcile(self, now: float) -> list[Action]:
        if not self.connected:
            return []
        silent = [
            (task_id, attempt)
            for task_id, attempt in self.attempts.items()
            if attempt.live and now - attempt.heard >= RECONCILE_AFTER
        ]
        for _, attempt in silent:
            attempt.heard = now
        tasks = tuple((task_id, attempt.executor.agent_id) for task_id, attempt in silent)
        return [events.Reconcile(tasks=tasks)] if tasks else []

    def _note_idleness(self, now: float) -> None:
        if not self.connected or self.live or self.over:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now

    def _complete(self) -> bool:
        return self.blocks is not None and all(block.state is State.DONE for block in self.blocks)

    def check(self) -> None:
        """Assert what always holds; for tests."""
        blocks = self.blocks or []
        assert [b for b in blocks if b.state is State.WAITING] == sorted(
            self.waiting, key=lambda b: b.block.number
        )
        for block in blocks:
            assert (block.state is State.LAUNCHED) == bool(block.live), block
        live = {task_id for task_id, attempt in self.attempts.items() if attempt.live}
        assert live == {task_id for block in blocks for task_id in block.live}
        assert live == {task_id for agent in self.agents.values() for task_id in agent.live}


def _describe(update: events.Update) -> str:
    reason = f" ({update.reason})" if update.reason else ""
    if update.state == "TASK_FINISHED":
        return "TASK_FINISHED, but a result that did not arrive intact"
    return f"{update.state}{reason}: {update.message or 'no message'}"
