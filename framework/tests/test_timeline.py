"""The timeline says where the time went."""

import pytest

from mapreduce.core.events import Update
from mapreduce.scheduler.timeline import Timeline


def ended(timeline, now, kind="map", state="TASK_FINISHED", counts=True, timing=None, **more):
    update = Update(task_id=f"{kind}-0-try-1", state=state)
    receipt = {"timing": timing or {}}
    timeline.ended(update, kind, "host", receipt, now, counts=counts, speculative=False, **more)


@pytest.fixture
def timeline():
    """A run of ten seconds that began at 100."""
    timeline = Timeline()
    timeline.began = 100.0
    assert timeline.phase == "offers"
    timeline.launched("mapreduce-1", 101.0)
    timeline.launched("mapreduce-1", 101.5)
    assert timeline.phase == "start-up"
    timeline.running("mapreduce-1", "host", 103.0)
    timeline.running("mapreduce-1", "host", 103.5)
    assert timeline.phase == "map"
    return timeline


def test_phases_follow_each_other_and_cover_all_of_it(timeline):
    """What reduce tasks fetch is shuffling, though it happens beside what they reduce."""
    ended(timeline, 106.0, timing={"input": 0.5, "map": 2.0, "cpu": 1.5})
    timeline.mapped(106.0)
    timeline.merged(107.0)
    ended(timeline, 110.0, "reduce", timing={"shuffle": 1.0, "reduce": 2.0})
    timeline.finished(110.0)
    phases = timeline.phases()
    assert phases == pytest.approx(
        {
            "offers": 1.0,
            "start-up": 2.0,
            "map": 3.0,
            "shuffle": 2.0,
            "reduce": 2.0,
            "input wait": 0.5,
            "mapping": 2.0,
            "mapping cpu": 1.5,
        }
    )


def test_a_run_without_reduce_tasks_reduces_here(timeline):
    """The scheduler's own share has no workers' seconds."""
    timeline.mapped(104.0)
    timeline.merged(104.5)
    timeline.finished(106.0)
    phases = timeline.phases()
    assert (phases["shuffle"], phases["reduce"]) == (0.5, 1.5)


def test_what_was_not_reached_took_no_time():
    """Such as in a run of empty inputs."""
    assert set(Timeline().phases().values()) == {0.0}


def test_spans_begin_when_the_worker_did(timeline):
    """Seconds since the run began."""
    ended(timeline, 106.0, timing={"input": 0.5, "map": 1.5, "bytes": 7.0, "pid": 42.0})
    offers, start, task = timeline.spans
    assert (offers.kind, offers.began, offers.ended) == ("offers", 0.0, 1.0)
    assert (start.kind, start.began, start.ended, start.agent) == ("start", 1.0, 3.0, "host")
    assert (task.began, task.ended, task.worker, task.bytes) == (4.0, 6.0, 42, 7)
    assert task.outcome == "done"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("TASK_FINISHED", "killed"),
        ("TASK_KILLED", "killed"),
        ("TASK_FAILED", "failed"),
        ("TASK_LOST", "lost"),
        ("TASK_UNREACHABLE", "lost"),
    ],
)
def test_spans_of_tasks_that_do_not_count_say_why(timeline, state, outcome):
    """One that finished late was as good as killed."""
    ended(timeline, 106.0, state=state, counts=False)
    assert timeline.spans[-1].outcome == outcome
