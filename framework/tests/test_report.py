"""The report says how far a run is, and on which agents."""

import pytest

from mapreduce.core.core import Core
from mapreduce.core.cutter import Extent
from mapreduce.core.events import Collected, Launch, Offer, Offers, Overflow, Registered, Update
from mapreduce.scheduler.report import Report

MB = 1 << 20


class Run:
    """A core whose report hears of everything."""

    def __init__(self, *hosts):
        self.core = Core([Extent("a", 8 * MB), Extent("b", None, splittable=False)])
        self.report = Report(self.core)
        self.tasks = []
        self.now = 10.0
        self(Registered())
        self.addresses = [(host, 5051 + number) for number, host in enumerate(hosts)]
        self.offer()

    def offer(self):
        self(
            Offers(
                offers=tuple(
                    Offer(
                        id=f"O{self.now}-{host}",
                        agent_id=f"S{port}",
                        hostname=host,
                        address=f"10.0.0.1:{port}",
                        cpus=1.0,
                        mem=512.0,
                    )
                    for host, port in self.addresses
                )
            )
        )

    def __call__(self, event, receipt=None):
        self.now += 1
        actions = self.core.handle(event, self.now)
        self.report.event(event, receipt, self.now)
        for action in actions:
            if isinstance(action, Launch):
                self.report.launched(action, self.now)
                self.tasks += [task.id for task in action.tasks]

    def finish(self, task_id, kept=False):
        self(Update(task_id=task_id, state="TASK_RUNNING", from_executor=True))
        self(
            Update(
                task_id=task_id, state="TASK_FINISHED", from_executor=True, intact=True, kept=kept
            )
        )


@pytest.fixture
def run():
    return Run("one", "two")


def test_the_status_follows_the_run(run):
    """Bytes, blocks, tasks by agent, and the cores that they hold."""
    status = run.report.status()
    assert (status.phase, status.done, status.total, status.blocks) == ("start-up", 0, 8 * MB, 0)
    assert sum(status.tasks.values()) == len(run.tasks)
    assert set(status.tasks) == {"one", "two"}
    assert status.cores == 2
    run.finish(run.tasks[0])
    status = run.report.status()
    assert (status.phase, status.blocks) == ("map", 1)
    assert status.done == run.core.attempts[run.tasks[0]].unit.content.size


def test_reducing_has_bytes_of_its_own(run):
    """Those of the pairs that are fetched."""
    run(Overflow())
    for task_id in list(run.tasks):
        run.finish(task_id, kept=True)
    assert run.report.status().phase == "shuffle"
    run(Collected(sizes=(30, 50), pairs=2))
    run.offer()
    status = run.report.status()
    assert (status.phase, status.done, status.total) == ("reduce", 0, 80)


def test_agents_on_one_host_are_told_apart():
    """As on a cluster that is one machine; where names differ they are enough."""
    run = Run("local", "local", "other")
    assert set(run.report.status().tasks) == {"local:5051", "local:5052", "other"}


def test_spans_carry_the_agents_names():
    """Those that were best in the end, with what the workers said."""
    run = Run("local", "local")
    task = run.tasks[0]
    update = Update(task_id=task, state="TASK_FINISHED", from_executor=True, intact=True)
    run(update, {"timing": {"map": 0.5, "bytes": 7, "pid": 3}})
    span = run.report.spans()[-1]
    assert span.agent in ("local:5051", "local:5052")
    assert (span.kind, span.task, span.worker, span.bytes) == ("map", task, 3, 7)
    assert (span.outcome, span.speculative) == ("done", False)
    assert span.ended - span.began == pytest.approx(0.5)
    run(Update(task_id=run.tasks[1], state="TASK_LOST"))
    assert run.report.spans()[-1].outcome == "lost"
