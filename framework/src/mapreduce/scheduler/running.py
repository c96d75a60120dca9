"""The shell around the core: carries out what it decides, and tells it what happens.

PyMesos' threads report into a queue, the server's threads keep results; everything else happens on
the thread that calls `Run.run`.
"""

import contextlib
import logging
import queue
import threading
import time
from pathlib import Path
from typing import Any

from mapreduce.client.progress import Progress
from mapreduce.core import events
from mapreduce.core.core import Core
from mapreduce.core.cutter import Block, Extent
from mapreduce.errors import ClusterError, JobFailedError
from mapreduce.exchange.runs import decode_sizes
from mapreduce.exchange.server import Server
from mapreduce.scheduler import diagnosis, journal, leader, wire
from mapreduce.scheduler.driver import Driver, Listener, Message
from mapreduce.scheduler.merging import Merger, RunList, add_sizes
from mapreduce.scheduler.report import Report
from mapreduce.scheduler.result import Result
from mapreduce.scheduler.spec import Place, RunSpec

log = logging.getLogger(__name__)

SHOW = 0.1
TICK = 0.5
"""Seconds between changes of what is shown, and looks at the time while nothing happens."""

SEARCH = 2.0
"""Seconds between questions for the leader to a master given by its plain address."""

CLOSE_TIMEOUT = 5.0
"""Seconds for a teardown that no master answers."""

Json = dict[str, Any]


class Run:
    """One job on one cluster."""

    def __init__(
        self,
        spec: RunSpec,
        place: Place,
        progress: Progress,
        folder: Path,
        server: Server,
        setup: wire.Setup,
        run_list: RunList,
        written: journal.Journal,
    ) -> None:
        assert server.content.store is not None  # the scheduler's has one
        self.spec = spec
        self.place = place
        self.progress = progress
        self.folder = folder
        self.server = server
        self.store = server.content.store
        self.setup = setup
        self.journal = written
        self.core = Core([Extent(one.name, one.size, one.splittable) for one in spec.inputs])
        self.merger = Merger(spec.job, folder / "runs")
        self.report = Report(self.core)
        self.references = [
            given.reference(server.input_url(number), server.storage_url)
            for number, given in enumerate(spec.inputs)
        ]
        self.receipts: dict[str, Json] = {}
        self.run_list = run_list
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.driver = self._driver(None)
        self.registered = False
        self.collecting = False
        self.clock = -time.monotonic()
        self.next_shown = 0.0
        self.next_complaint = 0.0
        self.next_search = 0.0
        self.last_connected = time.monotonic()

    def _driver(self, framework_id: str | None) -> Driver:
        """Return a driver for the framework, a new one without an id."""
        place = self.place
        # A plain address may be of a master that does not lead: PyMesos is given the leader's.
        master = place.master.for_pymesos if place.master.zookeeper else str(place.leader)
        principal = place.credential[0] if place.credential else None
        info = wire.framework_info(self.spec.name, place.tasks.user, framework_id, principal)
        return Driver(Listener(self.messages), info, master, place.credential)

    def run(self, saved: journal.Saved | None) -> Result:
        """See `scheduler.run`."""
        try:
            if saved is not None:
                self._replay(saved)
                self.driver = self._driver(saved.framework)
            self.report.timeline.began = self.now
            if not self.core.over:
                self.driver.start()
                self.last_connected = time.monotonic()
            while not self.core.over:
                self._step()
            self.driver.stop()
            return self._result()
        finally:
            self._close()

    @property
    def now(self) -> float:
        """Seconds of the run's clock, which goes on where it was when the run is resumed.

        Rounded, so that the core can be told the same number again.
        """
        return round(self.clock + time.monotonic(), 4)

    def _step(self) -> None:
        """Take in the next message; while there is none, merge what has arrived."""
        message: Message = ("tick", None)
        try:
            message = self.messages.get(
                block=not self.merger.busy and not self.collecting, timeout=TICK
            )
        except queue.Empty:
            if self.merger.busy:
                if self.merger.step():
                    self._feed(events.Overflow())
            elif self.collecting:
                self._collect()
        self._take_in(*message)
        self._look_after()

    # Events

    def _take_in(self, kind: str, content: Any) -> None:
        match kind:
            case "registered":
                self.registered = True
                self.journal.framework(content)
                self._feed(events.Registered())
            case "disconnected":
                self._feed(events.Disconnected())
            case "offers":
                self._feed(events.Offers(offers=tuple(map(wire.offer, content))))
            case "update":
                self._update(content)
            case "executor lost":
                self._feed(events.ExecutorLost(executor_id=content))
            case "agent lost":
                self._feed(events.AgentLost(agent_id=content))
            case "error":
                self._refused(content)
            case "ended":
                master, credential = self.place.master.text, self.place.credential
                raise ClusterError(diagnosis.why_ended(master, content, credential))
            case _:
                self._feed(events.Tick())

    def _feed(
        self, event: events.Event, *, receipt: Json | None = None, sync: bool = False
    ) -> None:
        """Have the core deal with an event, note it, and do what the core decides."""
        now = self.now
        actions = self.core.handle(event, now)
        if actions or not isinstance(event, events.Tick):
            log.info("%s -> %s", event, actions)
            self.journal.event(now, event, receipt=receipt, sync=sync)
        self.report.event(event, receipt, now)
        for action in actions:
            self._carry_out(action, now)

    def _update(self, status: Json) -> None:
        receipt = wire.receipt(status) if status["state"] == "TASK_FINISHED" else None
        task_id = status["task_id"]["value"]
        intact = receipt is not None and self.store.intact(task_id, receipt["parts"])
        update = wire.update(status, receipt, intact=intact)
        if receipt is not None and intact:
            self.receipts.setdefault(task_id, receipt)
        # On disk before the agent may forget it.
        self._feed(update, receipt=receipt, sync=update.state in events.TERMINAL)
        self.driver.try_call("acknowledgeStatusUpdate", status)
        if receipt is not None and not self.core.counts(task_id):
            self.receipts.pop(task_id, None)
            self.store.discard(task_id, receipt["parts"])

    def _refused(self, why: str) -> None:
        """Begin a new framework where the one to resume is gone; end otherwise."""
        if self.registered or self.driver.framework_id is None:
            raise ClusterError(f"The master ended the framework: {why}.")
        self.progress.say(f"The framework is gone ({why}): what it had not brought runs again.")
        self.driver.stop(failover=True)
        self.driver.join()
        self._feed(events.Removed())
        while not self.messages.empty():
            self.messages.get()
        self.driver = self._driver(None)
        self.driver.start()

    def _replay(self, saved: journal.Saved) -> None:
        """Bring the core, and what is merged here, to where they were.

        What was merged is merged anew, into new runs; reducers may go on with the old ones.
        """
        for entry in saved.entries:
            self.core.handle(entry.event, entry.at)
            self.report.hosts(entry.event)
            if isinstance(entry.event, events.Update) and entry.receipt is not None:
                self.receipts[entry.event.task_id] = entry.receipt
        self.clock += saved.entries[-1].at if saved.entries else 0.0
        self.core.connected = False
        self.receipts = {
            task_id: receipt
            for task_id, receipt in self.receipts.items()
            if self.core.counts(task_id)
        }
        for task_id, receipt in list(self.receipts.items()):
            if not self.store.intact(task_id, receipt["parts"]):
                if self.core.over:
                    raise JobFailedError("Results of the finished run are gone: begin it anew.")
                self._feed(events.ResultLost(task_id=task_id), sync=True)
            elif isinstance(self.core.attempts[task_id].unit.content, Block):
                self.merger.add(self.store.paths(task_id, receipt["parts"]))
        if self.core.work.collected:
            self._gather()

    # Actions

    def _carry_out(self, action: events.Action, now: float) -> None:
        match action:
            case events.Launch():
                self._launch(action)
            case events.Decline():
                ids = [{"value": offer_id} for offer_id in action.offer_ids]
                self.driver.try_call("declineOffer", ids, filters={"refuse_seconds": action.refuse})
            case events.Suppress():
                self.driver.try_call("suppressOffers")
            case events.Revive():
                self.driver.try_call("reviveOffers")
            case events.Kill():
                self.driver.try_call("killTask", {"value": action.task_id})
            case events.Reconcile():
                self.driver.try_call("reconcile", action.tasks)
            case events.Count():
                if isinstance(action.content, Block):
                    parts = self.receipts[action.task_id]["parts"]
                    self.merger.add(self.store.paths(action.task_id, parts))
            case events.Uncount():
                self.receipts.pop(action.task_id, None)
            case events.Collect():
                self.report.timeline.mapped(now)
                self.collecting = True  # once all that has arrived is merged
            case events.Avoid():
                agent = self.report.addresses.get(action.agent_id, action.agent_id)
                self.progress.say(f"The agent at {agent} gets no more tasks: {action.why}.")
            case events.Finish():
                pass  # the core is over, which ends the loop
            case events.Fail():
                raise JobFailedError(self._failure(action))

    def _launch(self, launch: events.Launch) -> None:
        tasks = [
            wire.task_info(
                task,
                launch.executor,
                self.references,
                self.setup,
                self.driver.framework_id,
                runs=self.server.run_list_url,
                top=self.spec.top,
            )
            for task in launch.tasks
        ]
        self.report.launched(launch, self.now)
        filters = {"refuse_seconds": launch.refuse}
        offer_id = {"value": launch.offer_id}
        if not self.driver.try_call("launchTasks", offer_id, tasks, filters=filters):
            task_ids = tuple(task.id for task in launch.tasks)
            self._feed(events.LaunchFailed(task_ids=task_ids))

    def _collect(self) -> None:
        self.collecting = False
        if not self.core.work.mapped:
            return  # something was lost in the meantime; Collect comes again
        sizes, pairs = self._gather()
        self.report.timeline.merged(self.now)
        self._feed(events.Collected(sizes=sizes, pairs=pairs))

    def _gather(self) -> tuple[tuple[int, ...], int]:
        """Bring all results together, for `events.Collected`.

        The run list changes only here, and only while every block is done: reducers must never
        read one that is not complete.
        """
        assert self.core.work.mapped
        self.merger.drain()
        kept = [
            {"executor": unit.keeper, **run}
            for unit in self.core.work.units.values()
            if unit.keeper is not None and unit.counted is not None
            for run in self.receipts[unit.counted]["runs"]
        ]
        if not kept and not self.merger.runs and not self.core.work.partitioned:
            return (), 0
        self.merger.dump()
        self.run_list.publish([*self.merger.listing(self.server.run_url), *kept])
        pairs = sum(
            receipt.get("pairs", 0) for receipt in self.receipts.values() if receipt["runs"]
        )
        sizes = add_sizes(self.merger.sizes, (decode_sizes(run["sizes"]) for run in kept))
        return sizes, self.merger.pairs + pairs

    def _result(self) -> Result:
        partitions = [unit for unit in self.core.work.units.values() if unit.kind == "reduce"]
        if partitions:
            tasks = [str(unit.counted) for unit in partitions]
            keys = sum(self.receipts[task_id].get("keys", 0) for task_id in tasks)
            files = [self.store.paths(task, self.receipts[task]["parts"])[0] for task in tasks]
        else:
            self.merger.drain()
            files = [self.folder / "rows"]
            keys = self.merger.reduce(files[0], self.spec.top)
        self.report.timeline.finished(self.now)
        return Result(
            job=self.spec.job,
            keys=keys,
            files=files,
            limit=self.spec.top,
            timeline=self.report.spans(),
            phases=self.report.timeline.phases(),
        )

    def _failure(self, fail: events.Fail) -> str:
        text = f"The job failed: {fail.message}."
        if fail.executor is None:
            return text
        if fail.startup:
            text += (
                f" Executors are started as {self.setup.command!r} "
                f"by the user {self.driver.framework['user']!r}."
            )
        agent = self.report.addresses.get(fail.executor.agent_id, "")
        tail = diagnosis.stderr_tail(
            agent, self.driver.framework_id, fail.executor.id, self.place.credential
        )
        if not tail:
            return f"{text} That was on the agent at {agent}."
        return f"{text}\nThe end of the executor's standard error on {agent}:\n{tail}"

    # Time

    def _look_after(self) -> None:
        """Show progress; notice what sends no message."""
        now = time.monotonic()
        if now >= self.next_shown:
            self.next_shown = now + SHOW
            self.progress.show(self.report.status())
        if self.core.connected:
            self.last_connected = now
        else:
            self._seek_leader(now)
        idle = self.core.idle_for(self.now)
        if idle >= self.place.wait and now >= self.next_complaint:
            self.next_complaint = now + self.place.wait
            self._complain(idle)

    def _seek_leader(self, now: float) -> None:
        """Follow the leader where PyMesos cannot; give up when the tasks must be gone."""
        away = now - self.last_connected
        if away > wire.FAILOVER_TIMEOUT:
            raise ClusterError(
                f"No leader took the framework back for {away:.0f} seconds: its tasks are lost."
            )
        if self.place.master.zookeeper or now < self.next_search or away < SEARCH:
            return
        self.next_search = now + SEARCH
        with contextlib.suppress(ClusterError):
            found = str(leader.find(self.place.master, 0.0, self.progress.say))
            if found != self.driver.master:
                self.driver.change_master(found)

    def _complain(self, idle: float) -> None:
        vain, why = diagnosis.why_no_offers(self.driver.master or "", idle, self.place.credential)
        if vain:
            raise ClusterError(why)
        self.progress.say(f"{why} Still waiting.")

    def _close(self) -> None:
        """Tear the framework down, which ends its executors."""
        self.driver.stop()
        joining = threading.Thread(target=self.driver.join, daemon=True)
        joining.start()
        joining.join(CLOSE_TIMEOUT)
        if joining.is_alive():
            log.info("no master took the teardown")
        self.journal.close()
