"""The state of a run: which blocks wait, which tasks run where, what to do about each event.

Pure: `Core.handle(event, now)` returns actions, which `mapreduce.scheduler` carries out. Nothing
here knows PyMesos, sockets or clocks. The same events in the same order make the same core: so a
journal of events is all that it takes to resume a run.

A task is an attempt at a unit of work (a block or a partition), with an id of its own, so that
whatever arrives late, twice or from an agent that was thought dead is told apart.
"""

from collections.abc import Iterable, Sequence

from mapreduce.core import events
from mapreduce.core.cutter import Extent
from mapreduce.core.events import Action, Event, Executor, Offer
from mapreduce.core.fleet import Fleet
from mapreduce.core.placement import Placement
from mapreduce.core.speculation import Speculation
from mapreduce.core.state import Agent, Attempt, State, Unit
from mapreduce.core.work import Work

FAILURES = 3
"""Attempts of one unit that its own failure may cost: then the block is at fault."""

LOSSES = 10
"""Attempts of one unit that faults around it may cost (agents, executors, masters)."""

REPORTS = 2
"""Times that an executor's runs may be out of reach: then they are lost."""

RECONCILE_AFTER = 10.0
"""Seconds without news of a task until the master is asked about it."""

REVIVE_AFTER = 0.1
REVIVE_SELDOM = 5.0
"""Seconds between requests for offers while workers are about to run dry: at first, and when
requests were in vain, as others use what there is."""

REFUSE_UNFIT = 5.0
REFUSE_UNNEEDED = 3600.0
"""Seconds for which offers are declined: too small for now, or not needed any more."""


class Core:
    """Decides; see the module's head."""

    def __init__(self, extents: Sequence[Extent]) -> None:
        self.extents = extents
        self.work = Work(extents)
        self.fleet = Fleet()
        self.speculation = Speculation(self.work)
        self.placement = Placement(self.work, self.fleet, self.speculation)
        self.attempts: dict[str, Attempt] = {}
        self.reports: dict[str, int] = {}
        self.keep = False
        self.connected = False
        self.suppressed = False
        self.over = False
        self.retries = 0
        self.revived = 0.0
        self.patience = REVIVE_AFTER
        self.idle_since: float | None = None
        self.trouble = ""
        self.culprit: Executor | None = None
        self.startup = False
        self.victim = ""

    def idle_for(self, now: float) -> float:
        """Return the seconds for which work waited and nothing ran while connected."""
        return now - self.idle_since if self.idle_since is not None else 0.0

    def counts(self, task_id: str) -> bool:
        """Whether a task is the one that counts for its unit."""
        attempt = self.attempts.get(task_id)
        return attempt is not None and attempt.unit.counted == task_id

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in an event and return what to do, in order."""
        if self.over:
            return []
        actions = self._dispatch(event, now)
        avoided = self.fleet.avoid()
        if self.fleet.hopeless:
            actions.append(self._hopeless())
        else:
            actions += [events.Avoid(agent_id=one.id, why=self.trouble) for one in avoided]
        actions += self._ask_for_offers(now)
        self._note_idleness(now)
        for end, action in enumerate(actions, 1):
            if isinstance(action, events.Finish | events.Fail):
                self.over = True
                return actions[:end]
        return actions

    def _dispatch(self, event: Event, now: float) -> list[Action]:
        match event:
            case events.Registered():
                return self._registered(event, now)
            case events.Disconnected():
                self.connected = False
            case events.Removed():
                return self._removed()
            case events.Offers():
                return self._offers(event.offers, now)
            case events.Update():
                return self._update(event, now)
            case events.ExecutorLost():
                return self._executor_lost(event.executor_id)
            case events.AgentLost():
                return self._agent_lost(event.agent_id)
            case events.ResultLost():
                return self._result_lost(event.task_id)
            case events.LaunchFailed():
                for task_id in event.task_ids:  # ask soon whether they run
                    self.attempts[task_id].heard -= RECONCILE_AFTER / 2
            case events.Overflow():
                self.keep = True
            case events.Collected():
                return self._collected(event)
            case events.Tick():
                return self._reconcile(now)
        return []

    def _registered(self, event: events.Registered, now: float) -> list[Action]:
        """Begin anew with a leader: it knows of no suppression, and of tasks from agents only."""
        self.connected = True
        self.suppressed = False
        for attempt in self.attempts.values():
            attempt.heard = now  # agents need time to register with it, too
        return self._settle()

    def _removed(self) -> list[Action]:
        """Begin anew without a task or an executor; what was brought here counts."""
        self.connected = False
        for task_id, attempt in self.attempts.items():
            if attempt.live:
                self._give_up(task_id, attempt)
                self._put_back(attempt.unit, "the framework was removed")
        gone = list(self.fleet.launched)
        for executor_id in gone:
            self.fleet.ended.add(executor_id)
        for agent in self.fleet.agents.values():
            agent.executor, agent.started = None, False
        return self._lose_runs(gone, "the framework was removed")

    # Offers

    def _offers(self, offers: Sequence[Offer], now: float) -> list[Action]:
        chosen = self.placement.choose(offers, self._running(), now)
        actions: list[Action] = [
            self._launch(offer, units, now) for offer, units in chosen if units
        ]
        unused = tuple(offer.id for offer, units in chosen if not units)
        refuse = REFUSE_UNFIT if self.work.available else REFUSE_UNNEEDED
        if unused:
            actions.append(events.Decline(offer_ids=unused, refuse=refuse))
        if not self.work.available and not self.suppressed:
            self.suppressed = True
            actions.append(events.Suppress())
        return actions

    def _launch(self, offer: Offer, units: Iterable[Unit], now: float) -> Action:
        agent = self.fleet.agents[offer.agent_id]
        assert agent.executor is not None  # Fleet.room saw to it
        self.patience = REVIVE_AFTER
        tasks = tuple(self._attempt(agent, agent.executor, unit, now) for unit in units)
        self.fleet.launched[agent.executor.id] = agent.executor
        return events.Launch(
            offer_id=offer.id,
            executor=agent.executor,
            tasks=tasks,
            refuse=REFUSE_UNFIT if self.work.available else REFUSE_UNNEEDED,
        )

    def _attempt(self, agent: Agent, executor: Executor, unit: Unit, now: float) -> events.Task:
        unit.attempts += 1
        task_id = f"{unit.name}-try-{unit.attempts}"
        speculative = unit.state is State.LAUNCHED
        if not speculative:
            unit.move(State.LAUNCHED, task_id)
        unit.live.add(task_id)
        agent.live.add(task_id)
        self.attempts[task_id] = Attempt(unit, executor, now, now, speculative)
        return self.fleet.task(task_id, unit, agent, keep=self.keep and unit.kind == "map")

    def _ask_for_offers(self, now: float) -> list[Action]:
        """Revive where there is something to launch and workers have, or will soon have, nothing.

        What tasks leave free would otherwise be offered at the allocator's next round only.
        """
        if not self.connected:
            return []
        if self.work.available:
            wanted = self.suppressed or (
                self.fleet.hungry() and now - self.revived >= self.patience
            )
        else:
            wanted = self.speculation.wanted(self._running(), now)
        if not wanted:
            return []
        self.suppressed = False
        self.revived = now
        self.patience = min(2 * self.patience, REVIVE_SELDOM)
        return [events.Revive()]

    def _running(self) -> list[tuple[str, Attempt, Agent]]:
        """Return the live tasks with their agents."""
        return [
            (task_id, self.attempts[task_id], agent)
            for agent in self.fleet.agents.values()
            for task_id in sorted(agent.live)
        ]

    # Tasks

    def _update(self, update: events.Update, now: float) -> list[Action]:
        attempt = self.attempts.get(update.task_id)
        if attempt is None:
            return []
        attempt.heard = now
        if update.from_executor:
            self.fleet.heard(attempt.executor, now)
        if update.state not in events.TERMINAL:
            if update.state == "TASK_RUNNING" and attempt.began is None:
                attempt.began = now
            return []
        if update.state == "TASK_FINISHED" and (update.intact or update.kept):
            return self._finished(update, attempt, now)
        if update.state == "TASK_FINISHED" and not update.from_executor:
            return []  # the master's word, without the receipt; the executor's is under way
        return self._lost(update, attempt)

    def _finished(self, update: events.Update, attempt: Attempt, now: float) -> list[Action]:
        if update.kept and attempt.executor.id in self.fleet.ended:
            return self._lost(update, attempt)
        self._give_up(update.task_id, attempt)
        self.fleet.agents[attempt.executor.agent_id].strikes = 0
        unit = attempt.unit
        if unit.kind == "map":
            self.work.measure(update.bytes, update.seconds)
        self.speculation.note(unit, update.seconds)
        if unit.state is State.DONE:
            return []
        self.work.done(unit, update.task_id, attempt.executor.id if update.kept else None)
        actions: list[Action] = [events.Count(task_id=update.task_id, content=unit.content)]
        for other in sorted(unit.live):
            self._give_up(other, self.attempts[other])
            actions.append(events.Kill(task_id=other))
        return actions + self._settle()

    def _settle(self) -> list[Action]:
        """Return what is next where nothing is left to map, or to do at all."""
        if self.work.complete:
            return [events.Finish()]
        if self.work.mapped and not self.work.collected:
            return [events.Collect()]
        return []

    def _collected(self, event: events.Collected) -> list[Action]:
        if not self.work.mapped:
            return []  # something was lost in the meantime
        self.work.partition(event.sizes, event.pairs, self.fleet.workers)
        return self._settle()

    def _lost(self, update: events.Update, attempt: Attempt) -> list[Action]:
        if not attempt.live:
            return []
        self._give_up(update.task_id, attempt)
        self.retries += 1
        self.trouble, self.culprit = update.describe(), attempt.executor
        self.victim = attempt.unit.content.describe(self.extents)
        actions = self._blame(update, attempt)
        self._put_back(attempt.unit, self.trouble)
        return [*actions, *self._bounds([attempt.unit])]

    def _blame(self, update: events.Update, attempt: Attempt) -> list[Action]:
        """Reckon a loss to who is at fault: the unit, the agent, the executor, or its runs."""
        agent = self.fleet.agents[attempt.executor.agent_id]
        if update.reason in events.BY_OPERATOR:
            lost = self.fleet.excuse(attempt.executor, gone=update.reason == events.GONE)
            return self._lose_runs(lost, self.trouble)
        if update.from_executor and update.state == "TASK_FAILED":
            if update.unreachable:
                attempt.unit.losses += 1
                return self._unreachable(update.unreachable)
            attempt.unit.failures += update.block_fault
            attempt.unit.losses += not update.block_fault
            agent.strikes += not update.block_fault
            self.startup = False
            return []
        attempt.unit.losses += 1
        self.startup = not agent.started
        if update.from_executor or update.reason in events.EXECUTOR_UNHARMED:
            return []
        self.fleet.forget(attempt.executor)
        return self._lose_runs([attempt.executor.id], self.trouble)

    def _unreachable(self, executor_id: str) -> list[Action]:
        """Take an executor's runs for lost once they were out of reach too often."""
        self.reports[executor_id] = self.reports.get(executor_id, 0) + 1
        if self.reports[executor_id] < REPORTS:
            return []
        del self.reports[executor_id]
        executor = self.fleet.launched.get(executor_id)
        if executor is not None:
            self.fleet.agents[executor.agent_id].strikes += 1
        return self._lose_runs([executor_id], f"the runs of {executor_id} are out of reach")

    def _lose_runs(self, executor_ids: Sequence[str], why: str) -> list[Action]:
        """Map again what these executors held."""
        units = self.work.kept_by(executor_ids) if not self.work.complete else []
        return [*[self._undo(unit, why) for unit in units], *self._bounds(units)]

    def _undo(self, unit: Unit, why: str) -> Action:
        assert unit.counted is not None  # it is done
        task_id = unit.counted
        unit.losses += 1
        self.retries += 1
        self.trouble = why
        self.work.undo(unit, why)
        return events.Uncount(task_id=task_id, content=unit.content)

    def _put_back(self, unit: Unit, why: str) -> None:
        if unit.state is State.LAUNCHED and not unit.live:
            self.work.wait(unit, why)

    def _bounds(self, units: Iterable[Unit]) -> list[Action]:
        """Fail where a unit has cost too much."""
        for unit in units:
            if unit.failures < FAILURES and unit.losses < LOSSES:
                continue
            failed = unit.failures >= FAILURES
            count = unit.failures if failed else unit.losses
            return [
                events.Fail(
                    message=f"{unit.content.describe(self.extents)} "
                    f"{'failed' if failed else 'was lost'} {count} times, "
                    f"the last time with {self.trouble}",
                    executor=self.culprit,
                )
            ]
        return []

    def _give_up(self, task_id: str, attempt: Attempt) -> None:
        attempt.live = False
        attempt.unit.live.discard(task_id)
        self.fleet.agents[attempt.executor.agent_id].live.discard(task_id)

    def _hopeless(self) -> Action:
        what = "the executors end before they take up work" if self.startup else "all agents fail"
        return events.Fail(
            message=f"{what}, the last time on {self.victim} with {self.trouble}",
            executor=self.culprit,
            startup=self.startup,
        )

    # Executors, agents, results

    def _executor_lost(self, executor_id: str) -> list[Action]:
        """Forget the executor and its runs; its tasks' own updates follow."""
        self.fleet.end(executor_id)
        return self._lose_runs([executor_id], f"the executor {executor_id} ended")

    def _agent_lost(self, agent_id: str) -> list[Action]:
        lost = [one for one in self.fleet.launched.values() if one.agent_id == agent_id]
        for executor in lost:
            self.fleet.forget(executor)
        return self._lose_runs([one.id for one in lost], "its agent was removed")

    def _result_lost(self, task_id: str) -> list[Action]:
        attempt = self.attempts.get(task_id)
        if attempt is None or attempt.unit.counted != task_id:
            return []
        return [self._undo(attempt.unit, "its result is not here any more")]

    # Time

    def _reconcile(self, now: float) -> list[Action]:
        if not self.connected:
            return []
        silent = [one for one in self._running() if now - one[1].heard >= RECONCILE_AFTER]
        for _, attempt, _ in silent:
            attempt.heard = now
        tasks = tuple((task_id, agent.id) for task_id, _, agent in silent)
        return [events.Reconcile(tasks=tasks)] if tasks else []

    def _note_idleness(self, now: float) -> None:
        if not self.connected or self.fleet.live or not self.work.available:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now

    def check(self) -> None:
        """Assert what always holds; for tests."""
        self.work.check()
        live = {task_id for task_id, attempt in self.attempts.items() if attempt.live}
        assert live == {task_id for unit in self.work.units.values() for task_id in unit.live}
        assert live == {task_id for agent in self.fleet.agents.values() for task_id in agent.live}
        for agent in self.fleet.agents.values():
            assert agent.plan is None or len(agent.live) <= agent.plan.slots, agent
        for unit in self.work.units.values():
            assert unit.counted is None or self.attempts[unit.counted].unit is unit
            assert unit.keeper not in self.fleet.ended or self.over or self.work.complete, unit
