"""Running a job on a cluster: the shell that carries out what the core decides.

PyMesos' threads report into a queue, the server's threads keep results; everything else happens on
the thread that calls `Run.run`.
"""

import contextlib
import logging
import queue
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapreduce import diagnosis, events, job, leader, settings, wire
from mapreduce.core import Core
from mapreduce.driver import Driver, Listener
from mapreduce.errors import ClusterError, JobFailedError
from mapreduce.inputs import Input
from mapreduce.progress import Progress, Status
from mapreduce.results import Store
from mapreduce.server import Content, Server

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between looks at the time while nothing happens."""

SEARCH = 2.0
"""Seconds between questions for the leader to a master given by its plain address."""

CLOSE_TIMEOUT = 5.0
"""Seconds for a teardown that no master answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a job runs; `wait` is the patience in seconds with missing offers."""

    master: leader.Address
    leader: leader.Leader
    tasks: settings.Tasks
    advertise: str | None
    wait: float


def run(
    name: str, work: job.Job[Any, Any], inputs: Sequence[Input], place: Place, progress: Progress
) -> dict[Any, Any]:
    """Run the job and return the combined pairs, complete.

    Raises ClusterError or JobFailedError otherwise. Nothing is left running in either case, nor
    when another exception passes through.
    """
    host = "" if place.advertise else leader.own_address(place.leader)
    job_file = None if name in job.BUILTIN else job.split_name(name)[0]
    with tempfile.TemporaryDirectory(prefix="mapreduce-") as folder:
        content = Content(
            inputs=list(inputs),
            store=Store(Path(folder)),
            shipped={"job.py": job_file} if job_file is not None else {},
        )
        server = Server(host, place.advertise or host, content)
        try:
            return Run(name, work, inputs, place, progress, server).run()
        finally:
            server.close()


class Run:
    """One job on one cluster."""

    def __init__(
        self,
        name: str,
        work: job.Job[Any, Any],
        inputs: Sequence[Input],
        place: Place,
        progress: Progress,
        server: Server,
    ) -> None:
        self.job = work
        self.place = place
        self.progress = progress
        self.server = server
        self.pairs: dict[Any, Any] = {}
        self.total = sum(given.size or 0 for given in inputs)
        self.counted = 0
        self.core = Core([given.size for given in inputs])
        self.references = [
            given.reference(server.input_url(number)) for number, given in enumerate(inputs)
        ]
        self.setup = wire.Setup(
            command=place.tasks.executor,
            job=name,
            job_url=server.shipped_url('job.py') if server.content.shipped else None,
            server=server.url,
        )
        self.receipts: dict[str, list[str]] = {}
        self.agents: dict[str, str] = {}
        self.next_complaint = 0.0
        self.next_search = 0.0
        self.last_connected = time.monotonic()
        self.listener = Listener()
        # A plain address may be of a master that does not lead: PyMesos is given the leader's.
        master = place.master.for_pymesos if place.master.zookeeper else str(place.leader)
        self.driver = Driver(self.listener, wire.framework_info(name, place.tasks.user), master)

    def run(self) -> dict[Any, Any]:
        """See the function `run`."""
        try:
            self.driver.start()
            while not self.core.over:
                self._step()
            return self.pairs
        except BaseException as error:
            trouble = self.driver.trouble
            if trouble:  # PyMesos reports it as a SIGINT
                address = self.place.master.text
                raise ClusterError(f"The connection to {address} ended: {trouble}") from error
            raise
        finally:
            self._close()

    def _step(self) -> None:
        """Wait for the next message and do what it takes."""
        try:
            kind, content = self.listener.messages.get(timeout=TICK)
        except queue.Empty:
            kind, content = "tick", None
        now = time.monotonic()
        for event in self._events(kind, content):
            actions = self.core.handle(event, now)
            if actions or not isinstance(event, events.Tick):
                log.info("%s -> %s", event, actions)
            for action in actions:
                self._carry_out(action, now)
        self._look_after(now)

    # Events

    def _events(self, kind: str, content: Any) -> list[events.Event]:
        match kind:
            case "registered":
                return [events.Registered(again=content)]
            case "disconnected":
                return [events.Disconnected()]
            case "offers":
                offers = tuple(wire.offer(message) for message in content)
                self.agents.update((offer.agent_id, offer.address) for offer in offers)
                return [events.Offers(offers=offers)]
            case "update":
                return [self._update(content)]
            case "executor lost":
                return [events.ExecutorLost(executor_id=content)]
            case "error":
                raise ClusterError(f"The master ended the framework: {content}.")
            case _:
                return [events.Tick()]

    def _update(self, status: dict[str, Any]) -> events.Update:
        task_id = status["task_id"]["value"]
        receipt = wire.receipt(status)
        finished = status["state"] == "TASK_FINISHED"
        intact = finished and self.server.content.store.intact(task_id, receipt)
        if intact and receipt is not None:
            self.receipts[task_id] = receipt
        # Nothing is journalled, so acknowledging ahead of the decision loses nothing.
        self.driver.try_call("acknowledgeStatusUpdate", status)
        return wire.update(status, intact=intact)

    # Actions

    def _carry_out(self, action: events.Action, now: float) -> None:
        match action:
            case events.Launch():
                self._launch(action, now)
            case events.Decline():
                ids = [{"value": offer_id} for offer_id in action.offer_ids]
                self._call("declineOffer", ids, filters={"refuse_seconds": action.refuse})
            case events.Suppress():
                self._call("suppressOffers")
            case events.Revive():
                self._call("reviveOffers")
            case events.Kill():
                self._call("killTask", {"value": action.task_id})
            case events.Reconcile():
                self._call("reconcile", action.tasks)
            case events.Count():
                self._count(action)
            case events.Finish():
                pass  # the core is over, which ends the loop
            case events.Fail():
                raise JobFailedError(self._failure(action))

    def _call(self, name: str, *args: Any, **kwargs: Any) -> bool:
        return self.driver.try_call(name, *args, **kwargs)

    def _launch(self, launch: events.Launch, now: float) -> None:
        framework = self.driver.framework_id
        tasks = [
            wire.task_info(task, launch.executor, self.references, self.setup, framework)
            for task in launch.tasks
        ]
        offer_id = {"value": launch.offer_id}
        filters = {"refuse_seconds": launch.refuse}
        if not self._call("launchTasks", offer_id, tasks, filters=filters):
            task_ids = tuple(task.id for task in launch.tasks)
            self.core.handle(events.LaunchFailed(task_ids=task_ids), now)

    def _count(self, count: events.Count) -> None:
        for pairs in self.server.content.store.take(count.task_id, self.receipts.pop(count.task_id)):
            with job.failures("combining"):
                self.job.merge(self.pairs, pairs)
        self.counted += count.block.size

    def _failure(self, fail: events.Fail) -> str:
        if fail.executor is None:
            return f"The job failed: {fail.message}"
        agent = self.agents.get(fail.executor.agent_id, "")
        tail = diagnosis.stderr_tail(agent, self.driver.framework_id, fail.executor.id)
        shown = f"\nThe end of the executor's standard error on {agent}:\n{tail}" if tail else ""
        return (
            f"The job failed: {fail.message}. "
            f"Executors are started as {self.place.tasks.executor!r} "
            f"by the user {self.driver.framework['user']!r}.{shown}"
        )

    # Time

    def _look_after(self, now: float) -> None:
        """Show progress; notice what sends no message."""
        busy = [agent for agent in self.core.agents.values() if agent.live]
        self.progress.show(
            Status(
                phase="map" if busy or self.counted else "offers",
                done=self.counted,
                total=self.total,
                blocks=self.core.done,
                tasks={a.executor.agent_id: len(a.live) for a in busy if a.executor},
            )
        )
        if self.core.connected:
            self.last_connected = now
        else:
            self._seek_leader(now)
        idle = self.core.idle_for(now)
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
        vain, why = diagnosis.why_no_offers(self.driver.master or "", idle)
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
