"""The core decides on offers, updates and losses; no test needs Mesos or a clock."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapreduce import core as core_module
from mapreduce import sizing
from mapreduce.core import FAILURES, LOSSES, RECONCILE_AFTER, STRIKES, Core
from mapreduce.events import (
    Count,
    Decline,
    Disconnected,
    ExecutorLost,
    Finish,
    Kill,
    Launch,
    LaunchFailed,
    Offer,
    Offers,
    Reconcile,
    Registered,
    Revive,
    Suppress,
    Tick,
    Update,
)
from mapreduce.state import State

MB = 1 << 20


def offer(number: int, agent: str = "A", cpus: float = 1.0, mem: float = 1024.0) -> Offer:
    return Offer(
        id=f"O{number}", agent_id=agent, hostname=agent, address="h:5051", cpus=cpus, mem=mem
    )


def finished(task_id: str, intact: bool = True) -> Update:
    return Update(task_id=task_id, state="TASK_FINISHED", from_executor=True, intact=intact)


def lost(task_id: str, reason: str = "REASON_AGENT_REMOVED") -> Update:
    return Update(task_id=task_id, state="TASK_LOST", reason=reason, message="gone")


def failed(task_id: str) -> Update:
    return Update(task_id=task_id, state="TASK_FAILED", from_executor=True, message="ValueError: x")


def running(task_id: str) -> Update:
    return Update(task_id=task_id, state="TASK_RUNNING", from_executor=True)


class Run:
    """A core with a clock, checked after every event."""

    def __init__(self, *sizes):
        self.core = Core(sizes)
        self.now = 100.0
        self(Registered())

    def __call__(self, event, after: float = 0.0):
        self.now += after
        actions = self.core.handle(event, self.now)
        self.core.check()
        return actions

    def offers(self, *offers):
        return self(Offers(offers=offers))


def launches(actions) -> list[Launch]:
    return [action for action in actions if isinstance(action, Launch)]


def task_ids(actions) -> list[str]:
    return [task.id for launch in launches(actions) for task in launch.tasks]


def test_a_small_job_is_launched_at_once_counted_and_finished():
    """All blocks go out in the first answer, then offers are no longer wanted."""
    run = Run(2 * MB)
    actions = run.offers(offer(1))
    launch, suppress = actions
    assert [task.id for task in launch.tasks] == ["block-0-try-1", "block-1-try-1"]
    assert launch.refuse == core_module.REFUSE_UNNEEDED
    assert suppress == Suppress()
    assert run(running("block-0-try-1")) == []
    block = run.core.blocks[0].block
    assert run(finished("block-0-try-1")) == [Count(task_id="block-0-try-1", block=block)]
    assert run(finished("block-1-try-1"))[1:] == [Finish()]


def test_agents_share_the_blocks():
    """Offers that come together are used together."""
    first, second, _ = Run(6 * MB).offers(offer(1, "A"), offer(2, "B"))
    assert [task.id for task in first.tasks] == [f"block-{n}-try-1" for n in (0, 2, 4)]
    assert [task.id for task in second.tasks] == [f"block-{n}-try-1" for n in (1, 3, 5)]
    assert first.executor.id != second.executor.id


@given(cpus=st.floats(0, 64), mem=st.floats(0, 65536), sizes=st.lists(st.integers(0, 1 << 32)))
def test_what_is_launched_fits_into_the_offer(cpus, mem, sizes):
    """Mesos refuses tasks that use more than was offered."""
    for launch in launches(Run(*sizes).offers(offer(1, cpus=cpus, mem=mem))):
        assert launch.executor.cpus + sum(task.cpus for task in launch.tasks) <= cpus + 1e-9
        assert launch.executor.mem + sum(task.mem for task in launch.tasks) <= mem
        assert launch.executor.workers >= 1
        assert all(round(task.cpus, 3) == task.cpus >= 0.01 for task in launch.tasks)


def test_an_agent_is_used_fully_but_no_further_than_its_queue():
    """A long job keeps blocks back for whoever is free first."""
    launch, *_ = Run(1 << 30).offers(offer(1, cpus=2.0))
    assert launch.executor.workers == 2
    assert len(launch.tasks) == 2 * sizing.QUEUE
    assert launch.executor.cpus + sum(t.cpus for t in launch.tasks) == pytest.approx(2, abs=0.01)


def test_freed_resources_take_the_next_tasks_on_the_same_executor():
    """The executor's own resources are reckoned once."""
    run = Run(1 << 30)
    (first,) = launches(run.offers(offer(1)))
    run(finished(first.tasks[0].id))
    (second,) = launches(run.offers(offer(2, cpus=first.tasks[0].cpus, mem=600)))
    assert second.executor == first.executor
    assert len(second.tasks) == 1


def test_an_offer_that_is_too_small_is_declined_for_a_moment():
    """Another, larger one may come soon."""
    run = Run(MB)
    assert run.offers(offer(1, cpus=0.1)) == [Decline(offer_ids=("O1",), refuse=5.0)]
    assert run.offers(offer(2, mem=100)) == [Decline(offer_ids=("O2",), refuse=5.0)]
    assert launches(run.offers(offer(3)))


def test_offers_that_are_not_needed_are_declined_for_long():
    """Unused offers are not hoarded."""
    run = Run(MB)
    run.offers(offer(1))
    assert run.offers(offer(2, "B")) == [Decline(offer_ids=("O2",), refuse=3600.0)]


def test_two_offers_by_one_agent_at_once_make_one_executor():
    """The second is declined rather than mixed with the first."""
    launch, decline = Run(1 << 30).offers(offer(1), offer(2))
    assert launch.offer_id == "O1"
    assert decline.offer_ids == ("O2",)


def test_a_lost_task_runs_again_after_a_revive():
    """Offers were suppressed; the block that came back needs one."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(lost("block-0-try-1")) == [Revive()]
    assert task_ids(run.offers(offer(2))) == ["block-0-try-2"]
    assert run(finished("block-0-try-2"))[-1] == Finish()


@pytest.mark.parametrize(
    "state", ["TASK_LOST", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_GONE", "TASK_DROPPED"]
)
def test_every_unhappy_end_puts_the_block_back(state):
    """Whatever Mesos calls it, the block is not done."""
    run = Run(MB)
    run.offers(offer(1))
    run(Update(task_id="block-0-try-1", state=state, message="why"))
    assert run.core.blocks[0].state is State.WAITING


def test_a_result_that_did_not_arrive_puts_the_block_back():
    """TASK_FINISHED alone counts nothing."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(finished("block-0-try-1", intact=False)) == [Revive()]


@pytest.mark.parametrize("reason", ["REASON_RECONCILIATION", "REASON_AGENT_REREGISTERED"])
def test_the_masters_word_that_a_task_finished_is_no_loss(reason):
    """What the master says by itself lacks the receipt; the agent repeats the real update."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(Update(task_id="block-0-try-1", state="TASK_FINISHED", reason=reason)) == []
    assert run(finished("block-0-try-1"))[-1] == Finish()


def test_a_block_counts_once_however_often_it_is_reported():
    """Updates are repeated until they are acknowledged."""
    run = Run(2 * MB)
    run.offers(offer(1))
    assert len(run(finished("block-0-try-1"))) == 1
    assert run(finished("block-0-try-1")) == []
    assert run(lost("block-0-try-1")) == []


def test_a_task_back_from_the_dead_counts_and_its_successor_is_killed():
    """An agent that was thought lost comes back with the result."""
    run = Run(2 * MB)
    run.offers(offer(1))
    run(lost("block-0-try-1"))
    run.offers(offer(2, "B"))
    count, kill = run(finished("block-0-try-1"))
    assert count.task_id == "block-0-try-1"
    assert kill == Kill(task_id="block-0-try-2")
    assert run(finished("block-0-try-2")) == []


def test_a_task_back_from_the_dead_spares_the_block_that_waits():
    """No second attempt is launched for a block that is done."""
    run = Run(2 * MB)
    run.offers(offer(1))
    run(lost("block-0-try-1"))
    run(finished("block-0-try-1"))
    assert task_ids(run.offers(offer(2))) == []


def test_a_block_that_fails_by_itself_ends_the_job_with_its_message():
    """A poisoned block is not retried for ever."""
    run = Run(MB)
    for attempt in range(1, FAILURES + 1):
        run.offers(offer(attempt))
        run(running(f"block-0-try-{attempt}"))
        actions = run(failed(f"block-0-try-{attempt}"))
    (fail,) = actions
    assert "block 0 failed 3 times" in fail.message
    assert "ValueError: x" in fail.message
    assert run.offers(offer(9)) == []


def test_a_block_that_is_lost_again_and_again_ends_the_job():
    """Even the cluster's faults are no reason to go on for ever."""
    run = Run(MB)
    for attempt in range(1, LOSSES + 1):
        run.offers(offer(attempt))
        run(running(f"block-0-try-{attempt}"))
        actions = run(lost(f"block-0-try-{attempt}"))
    (fail,) = actions
    assert f"lost {LOSSES} times" in fail.message


def test_an_agent_whose_executors_do_not_start_is_avoided():
    """Its blocks go elsewhere."""
    run = Run(2 * MB)
    for number in range(STRIKES):
        for task_id in task_ids(run.offers(offer(number, "bad"))):
            run(lost(task_id, "REASON_EXECUTOR_TERMINATED"))
        run.offers(offer(50 + number, "small", cpus=0.01))
    assert launches(run.offers(offer(10, "bad"))) == []
    assert len(task_ids(run.offers(offer(11, "good")))) == 2


def test_the_job_fails_soon_where_no_executor_starts():
    """The usual cause is a command that the agents do not have; its output is worth showing."""
    run = Run(MB)
    for number in range(STRIKES):
        (launch,) = launches(run.offers(offer(number)))
        actions = run(lost(launch.tasks[0].id, "REASON_EXECUTOR_TERMINATED"))
    fail = actions[-1]
    assert "before they take up work" in fail.message
    assert fail.executor == launch.executor


def test_a_new_executor_follows_one_that_ended():
    """With an id of its own, whichever message about the loss comes first."""
    run = Run(1 << 30)
    (first,) = launches(run.offers(offer(1)))
    run(running(first.tasks[0].id))
    run(ExecutorLost(executor_id=first.executor.id))
    for task in first.tasks:
        run(lost(task.id, "REASON_EXECUTOR_TERMINATED"))
    (second,) = launches(run.offers(offer(2)))
    assert second.executor.id != first.executor.id
    assert [task.block for task in second.tasks] == [
        run.core.blocks[number].block for number in (3, 2, 1, 0)
    ]


def test_an_executor_outlives_a_launch_that_was_too_late_for_its_offer():
    """An offer that was rescinded says nothing about the executor."""
    run = Run(1 << 30)
    (first,) = launches(run.offers(offer(1)))
    run(running(first.tasks[0].id))
    run(lost(first.tasks[1].id, "REASON_INVALID_OFFERS"))
    (second,) = launches(run.offers(offer(2, cpus=first.tasks[0].cpus)))
    assert second.executor == first.executor


def test_tasks_run_on_through_a_change_of_leader():
    """Nothing is launched again; the new leader is asked about what stays silent."""
    run = Run(2 * MB)
    run.offers(offer(1))
    assert run(Disconnected()) == []
    assert run(Tick(), after=60) == []
    assert run(Registered(again=True)) == []
    assert run.offers(offer(2, "B"))[-1] == Suppress()
    assert run(Tick(), after=1) == []
    (ask,) = run(Tick(), after=RECONCILE_AFTER)
    assert ask == Reconcile(tasks=(("block-0-try-1", "A"), ("block-1-try-1", "A")))
    assert run(Tick(), after=1) == []
    run(finished("block-0-try-1"))
    assert run(finished("block-1-try-1"))[-1] == Finish()


def test_a_launch_that_may_have_been_lost_is_asked_about():
    """The master answers TASK_LOST for tasks that it never heard of."""
    run = Run(MB)
    run.offers(offer(1))
    run(LaunchFailed(task_ids=("block-0-try-1",)))
    (ask,) = run(Tick(), after=RECONCILE_AFTER / 2)
    assert ask == Reconcile(tasks=(("block-0-try-1", "A"),))
    assert run(lost("block-0-try-1", "REASON_RECONCILIATION")) == [Revive()]


def test_idleness_is_measured_while_nothing_runs():
    """The shell gives up on a cluster without agents by this time."""
    run = Run(MB)
    run(Tick(), after=7)
    assert run.core.idle_for(run.now) == 7
    run.offers(offer(1))
    assert run.core.idle_for(run.now) == 0


def test_empty_inputs_need_no_task():
    """The result of nothing is empty, and complete."""
    assert Run(0, 0).offers(offer(1)) == [Finish()]


def test_unknown_tasks_are_ignored():
    """Another run's updates must not harm this one."""
    assert Run(MB)(finished("block-7-try-1")) == []


FAULTS = st.sampled_from(["finish", "lose", "executor", "damage", "late", "failover", "repeat"])


@settings(max_examples=400, deadline=None)
@given(faults=st.lists(st.tuples(FAULTS, st.integers(0, 999)), max_size=60))
@example([("lose", 3), *[("executor", n) for n in (0, 0, 1)], ("finish", 0), ("executor", 0)])
def test_each_block_counts_exactly_once_whatever_happens(faults):
    """Random faults, then a quiet cluster: the job completes, or fails after its bounds."""
    run = Run(3 * MB, None, 5 * MB)
    counted, known, number = [], [], 0

    def feed(event):
        for action in run(event):
            if isinstance(action, Launch):
                known.extend(task.id for task in action.tasks)
            elif isinstance(action, Count):
                counted.append(action.block.number)

    def offer_both():
        nonlocal number
        number += 2
        feed(Offers(offers=(offer(number, "A"), offer(number + 1, "B"))))

    offer_both()
    for fault, choice in faults:
        live = sorted(task for task in known if run.core.attempts[task].live)
        target = live[choice % len(live)] if live else None
        if fault == "failover":
            feed(Disconnected())
            feed(Registered(again=True))
        elif fault in ("late", "repeat"):
            feed(finished(known[choice % len(known)]))
        elif target and fault == "finish":
            feed(running(target))
            feed(finished(target))
        elif target and fault == "lose":
            feed(running(target))
            feed(lost(target))
        elif target and fault == "damage":
            feed(finished(target, intact=False))
        elif target:
            executor = run.core.attempts[target].executor.id
            feed(ExecutorLost(executor_id=executor))
            for task in live:
                if run.core.attempts[task].executor.id == executor:
                    feed(lost(task, "REASON_EXECUTOR_TERMINATED"))
        offer_both()
    while not run.core.over:
        live = [task for task in known if run.core.attempts[task].live]
        assert live
        for task in live:
            feed(finished(task))
        offer_both()
    assert len(counted) == len(set(counted))
    if run.core.done == len(run.core.blocks):
        assert sorted(counted) == list(range(len(run.core.blocks)))


def test_an_illegal_move_shows_the_blocks_history():
    """What should never happen says how it came about."""
    run = Run(MB)
    run.offers(offer(1))
    run(finished("block-0-try-1"))
    with pytest.raises(AssertionError, match="block-0-try-1"):
        run.core.blocks[0].move(State.WAITING, "test")
