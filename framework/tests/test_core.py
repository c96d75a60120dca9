"""The core decides on offers, updates and losses; no test needs Mesos or a clock."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapreduce.core import core as core_module
from mapreduce.core import sizing
from mapreduce.core.core import FAILURES, LOSSES, RECONCILE_AFTER, REVIVE_AFTER, REVIVE_SELDOM, Core
from mapreduce.core.cutter import Block, Extent
from mapreduce.core.events import (
    AgentLost,
    Avoid,
    Collect,
    Collected,
    Count,
    Decline,
    Disconnected,
    ExecutorLost,
    Fail,
    Finish,
    Kill,
    Launch,
    LaunchFailed,
    Offer,
    Offers,
    Overflow,
    Reconcile,
    Registered,
    Removed,
    ResultLost,
    Revive,
    Suppress,
    Tick,
    Uncount,
    Update,
)
from mapreduce.core.fleet import STRIKES
from mapreduce.core.state import State

MB = 1 << 20

BUCKETS = 64


def offer(number: int, agent: str = "A", cpus: float = 1.0, mem: float = 1024.0) -> Offer:
    return Offer(
        id=f"O{number}", agent_id=agent, hostname=agent, address="h:5051", cpus=cpus, mem=mem
    )


def finished(task_id: str, intact: bool = True, kept: bool = False, **more) -> Update:
    return Update(
        task_id=task_id,
        state="TASK_FINISHED",
        from_executor=True,
        intact=intact,
        kept=kept,
        **more,
    )


def lost(task_id: str, reason: str = "REASON_AGENT_REMOVED") -> Update:
    return Update(task_id=task_id, state="TASK_LOST", reason=reason, message="gone")


def failed(task_id: str, block_fault: bool = True, **more) -> Update:
    return Update(
        task_id=task_id,
        state="TASK_FAILED",
        from_executor=True,
        message="ValueError: x",
        block_fault=block_fault,
        **more,
    )


def running(task_id: str) -> Update:
    return Update(task_id=task_id, state="TASK_RUNNING", from_executor=True)


class Run:
    """A core with a clock, checked after every event."""

    def __init__(self, *sizes):
        self.core = Core([Extent(f"input {number}", size) for number, size in enumerate(sizes)])
        self.now = 100.0
        self.first = self(Registered())

    def __call__(self, event, after: float = 0.0):
        self.now += after
        actions = self.core.handle(event, self.now)
        self.core.check()
        return actions

    def offers(self, *offers):
        return self(Offers(offers=offers))

    def unit(self, name):
        return self.core.work.units[name]

    def kept(self, blocks=2):
        """Map blocks of 1 MB on one agent, whose executor keeps what they give."""
        self(Overflow())
        (launch,) = launches(self.offers(offer(1)))
        for task in launch.tasks[:blocks]:
            actions = self(finished(task.id, kept=True))
        return launch, actions


def launches(actions) -> list[Launch]:
    return [action for action in actions if isinstance(action, Launch)]


def task_ids(actions) -> list[str]:
    return [task.id for launch in launches(actions) for task in launch.tasks]


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


# Offers


def test_a_small_job_is_launched_at_once_counted_and_finished():
    """All blocks go out in the first answer, then offers are no longer wanted."""
    run = Run(2 * MB)
    launch, suppress = run.offers(offer(1))
    assert [task.id for task in launch.tasks] == ["map-0-try-1", "map-1-try-1"]
    assert launch.refuse == core_module.REFUSE_UNNEEDED
    assert suppress == Suppress()
    assert run(running("map-0-try-1")) == []
    block = run.unit("map-0").content
    assert run(finished("map-0-try-1")) == [Count(task_id="map-0-try-1", content=block)]
    assert run(finished("map-1-try-1"))[1:] == [Collect()]
    assert run(Collected()) == [Finish()]
    assert run.core.over


def test_agents_share_the_blocks():
    """Offers that come together are used together, in equal shares."""
    first, second, _ = Run(8 * MB).offers(offer(1, "A"), offer(2, "B"))
    shares = [sum(task.content.size for task in launch.tasks) for launch in (first, second)]
    assert sum(shares) == 8 * MB
    assert abs(shares[0] - shares[1]) <= MB
    assert first.executor.id != second.executor.id


@given(cpus=st.floats(0, 64), mem=st.floats(0, 65536), sizes=st.lists(st.integers(0, 1 << 32)))
def test_what_is_launched_fits_into_the_offer(cpus, mem, sizes):
    """Mesos refuses tasks that use more than was offered."""
    for launch in launches(Run(*sizes).offers(offer(1, cpus=cpus, mem=mem))):
        assert launch.executor.cpus + sum(task.cpus for task in launch.tasks) <= cpus + 1e-9
        assert launch.executor.mem + sum(task.mem for task in launch.tasks) <= mem
        assert launch.executor.workers >= 1
        assert launch.executor.worker_mem * launch.executor.workers < launch.executor.mem
        assert all(round(task.cpus, 3) == task.cpus >= 0.01 for task in launch.tasks)


@pytest.mark.parametrize("cpus", [1.0, 2.0])
def test_an_executor_of_one_or_two_workers_stays_below_400_mb(cpus):
    """However much memory is offered."""
    (launch,) = launches(Run(1 << 30).offers(offer(1, cpus=cpus, mem=65536)))
    assert launch.executor.workers == cpus
    assert launch.executor.mem < 400


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


def test_blocks_grow_with_the_measured_rate():
    """A fast job has large blocks, a slow one small ones."""
    run = Run(1 << 30)
    (first,) = launches(run.offers(offer(1)))
    run(finished(first.tasks[0].id, seconds=0.1, bytes=first.tasks[0].content.size))
    (second,) = launches(run.offers(offer(2)))
    assert second.tasks[0].content.size == 32 * MB
    tasks = [*first.tasks[1:], *second.tasks]
    for number in range(3, 6):
        for task in tasks:
            run(finished(task.id, seconds=1e6, bytes=task.content.size))
        (launch,) = launches(run.offers(offer(number)))
        tasks = launch.tasks
    assert tasks[0].content.size == MB


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


def test_workers_that_run_dry_ask_for_offers_before_the_next_round():
    """The allocator's rounds are a second apart; a worker does not wait for them."""
    run = Run(1 << 30)
    (launch,) = launches(run.offers(offer(1)))
    assert run(finished(launch.tasks[0].id), after=1)[1:] == []
    assert run(finished(launch.tasks[1].id))[1:] == [Revive()]
    assert run(Tick(), after=REVIVE_AFTER / 2) == []
    assert run(Tick(), after=2 * REVIVE_AFTER) == [Revive()]


def test_workers_ask_seldom_for_what_others_use():
    """A cluster that is full is not asked three times a second."""
    run = Run(1 << 30)
    (launch,) = launches(run.offers(offer(1)))
    for task in launch.tasks[:3]:
        run(finished(task.id))
    asked = [Revive() in run(Tick(), after=0.5) for _ in range(200)]
    assert 100 / REVIVE_SELDOM - 2 < sum(asked) < 100 / REVIVE_SELDOM + 7
    run.offers(offer(2, cpus=launch.tasks[0].cpus))
    run(finished(launch.tasks[3].id))
    assert run(Tick(), after=5 * REVIVE_AFTER) == [Revive()]


# Losses


def test_a_lost_task_runs_again_after_a_revive():
    """Offers were suppressed; the block that came back needs one."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(lost("map-0-try-1")) == [Revive()]
    assert task_ids(run.offers(offer(2))) == ["map-0-try-2"]
    assert of(Count, run(finished("map-0-try-2")))


@pytest.mark.parametrize(
    "state", ["TASK_LOST", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_GONE", "TASK_DROPPED"]
)
def test_every_unhappy_end_puts_the_block_back(state):
    """Whatever Mesos calls it, the block is not done."""
    run = Run(MB)
    run.offers(offer(1))
    run(Update(task_id="map-0-try-1", state=state, message="why"))
    assert run.unit("map-0").state is State.WAITING


def test_a_result_that_did_not_arrive_puts_the_block_back():
    """TASK_FINISHED alone counts nothing."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(finished("map-0-try-1", intact=False)) == [Revive()]


@pytest.mark.parametrize("reason", ["REASON_RECONCILIATION", "REASON_AGENT_REREGISTERED"])
def test_the_masters_word_that_a_task_finished_is_no_loss(reason):
    """What the master says by itself lacks the receipt; the agent repeats the real update."""
    run = Run(MB)
    run.offers(offer(1))
    assert run(Update(task_id="map-0-try-1", state="TASK_FINISHED", reason=reason)) == []
    assert of(Count, run(finished("map-0-try-1")))


def test_a_block_counts_once_however_often_it_is_reported():
    """Updates are repeated until they are acknowledged."""
    run = Run(2 * MB)
    run.offers(offer(1))
    assert len(run(finished("map-0-try-1"))) == 1
    assert run(finished("map-0-try-1")) == []
    assert run(lost("map-0-try-1")) == []


def test_a_task_back_from_the_dead_counts_and_its_successor_is_killed():
    """An agent that was thought lost comes back with the result."""
    run = Run(2 * MB)
    run.offers(offer(1))
    run(lost("map-0-try-1"))
    run.offers(offer(2, "B"))
    count, kill = run(finished("map-0-try-1"))
    assert count.task_id == "map-0-try-1"
    assert kill == Kill(task_id="map-0-try-2")
    assert run(finished("map-0-try-2")) == []


def test_a_task_back_from_the_dead_spares_the_block_that_waits():
    """No second attempt is launched for a block that is done."""
    run = Run(2 * MB)
    run.offers(offer(1))
    run(lost("map-0-try-1"))
    run(finished("map-0-try-1"))
    assert task_ids(run.offers(offer(2))) == []


def test_a_block_that_fails_by_itself_ends_the_job_with_its_inputs_bytes():
    """A poisoned block is not retried for ever, and the user learns where it is."""
    run = Run(MB)
    for attempt in range(1, FAILURES + 1):
        run.offers(offer(attempt))
        run(running(f"map-0-try-{attempt}"))
        actions = run(failed(f"map-0-try-{attempt}"))
    (fail,) = actions
    assert f"block 0 (bytes 0-{MB} of 'input 0') failed 3 times" in fail.message
    assert "ValueError: x" in fail.message
    assert fail.executor is not None
    assert run.offers(offer(9)) == []


def test_a_block_that_is_lost_again_and_again_ends_the_job():
    """Even the cluster's faults are no reason to go on for ever."""
    run = Run(MB)
    for attempt in range(1, LOSSES + 1):
        run.offers(offer(attempt))
        run(running(f"map-0-try-{attempt}"))
        actions = run(lost(f"map-0-try-{attempt}"))
    (fail,) = actions
    assert f"was lost {LOSSES} times" in fail.message


def drained(task_id: str, *, from_executor: bool = True) -> Update:
    return Update(
        task_id=task_id,
        state="TASK_KILLED",
        from_executor=from_executor,
        reason="REASON_AGENT_DRAINING",
    )


def test_no_number_of_drained_agents_is_held_against_a_block():
    """Draining is the operator's will: the block runs elsewhere, however often."""
    run = Run(1 * MB)
    for number in range(2 * LOSSES):
        (launch,) = launches(run.offers(offer(number, f"agent {number}")))
        (task,) = launch.tasks
        run(running(task.id))
        assert run(drained(task.id)) == [Revive()]
    assert run.unit("map-0").losses == 0


def test_an_agent_that_is_drained_before_its_executor_began_gets_no_strike():
    """The agent ends such an executor; when it is offered again, a new one follows."""
    run = Run(1 * MB)
    for number in range(2 * STRIKES):
        (launch,) = launches(run.offers(offer(number)))
        (task,) = launch.tasks
        run(drained(task.id, from_executor=False))
        assert of(Avoid, run(ExecutorLost(executor_id=launch.executor.id))) == []
        assert launch.executor.id == f"mapreduce-{number + 1}"


def test_an_executor_outlives_the_draining_of_its_agent():
    """What it keeps counts, and when the agent is offered again it takes tasks."""
    run = Run(2 * MB)
    launch, _ = run.kept(blocks=1)
    run(drained(launch.tasks[1].id))
    assert run.unit("map-0").state is State.DONE
    (again,) = launches(run.offers(offer(2)))
    assert again.executor == launch.executor


@pytest.mark.parametrize("state", ["TASK_LOST", "TASK_GONE_BY_OPERATOR"])
def test_an_agent_marked_gone_takes_along_what_its_executor_kept(state):
    """What it held is mapped again, and that is no fault of the agent's or the block's."""
    run = Run(2 * MB)
    launch, _ = run.kept(blocks=1)
    task_id, counted = launch.tasks[1].id, launch.tasks[0].id
    gone = Update(task_id=task_id, state=state, reason="REASON_AGENT_REMOVED_BY_OPERATOR")
    (uncount,) = of(Uncount, run(gone))
    assert uncount.task_id == counted
    assert run.unit("map-1").losses == 0
    assert run.core.fleet.agents["A"].strikes == 0
    assert run.core.fleet.agents["A"].executor is None


def test_an_agent_whose_executors_do_not_start_is_avoided():
    """Its blocks go elsewhere."""
    run = Run(2 * MB)
    for number in range(STRIKES):
        for task_id in task_ids(run.offers(offer(number, "bad"))):
            run(lost(task_id, "REASON_EXECUTOR_TERMINATED"))
        run.offers(offer(50 + number, "small", cpus=0.01))
    assert launches(run.offers(offer(10, "bad"))) == []
    assert len(task_ids(run.offers(offer(11, "good")))) == 2


def test_an_agent_that_cannot_send_results_is_avoided():
    """One agent behind a firewall does not fail the job: its failures are not the blocks'."""
    run = Run(8 * MB)
    first, second = launches(run.offers(offer(1, "bad"), offer(2, "good")))
    for task in first.tasks[:STRIKES]:
        actions = run(failed(task.id, block_fault=False))
    assert of(Avoid, actions) == [Avoid(agent_id="bad", why="TASK_FAILED: ValueError: x")]
    assert launches(run.offers(offer(3, "bad"))) == []
    assert all(unit.failures == 0 for unit in run.core.work.units.values())
    run(finished(second.tasks[0].id))
    assert launches(run.offers(offer(4, "good")))[0].executor == second.executor


def test_the_job_fails_soon_where_no_executor_starts():
    """The usual cause is a command that the agents do not have; its output is worth showing."""
    run = Run(MB)
    for number in range(STRIKES):
        (launch,) = launches(run.offers(offer(number)))
        actions = run(lost(launch.tasks[0].id, "REASON_EXECUTOR_TERMINATED"))
    fail = actions[-1]
    assert "before they take up work" in fail.message
    assert fail.executor == launch.executor
    assert fail.startup


def test_the_job_fails_soon_where_no_agent_can_send_results():
    """The reason is what the agents say."""
    run = Run(4 * MB)
    (launch,) = launches(run.offers(offer(1)))
    for task in launch.tasks:
        actions = run(failed(task.id, block_fault=False))
    message = actions[-1].message
    assert message.startswith("all agents fail, the last time on block ")
    assert message.endswith(" of 'input 0') with TASK_FAILED: ValueError: x")


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
    assert [task.content.number for task in second.tasks] == [3, 2, 1, 0]


def test_an_executor_outlives_a_launch_that_was_too_late_for_its_offer():
    """An offer that was rescinded says nothing about the executor."""
    run = Run(1 << 30)
    (first,) = launches(run.offers(offer(1)))
    run(running(first.tasks[0].id))
    run(lost(first.tasks[1].id, "REASON_INVALID_OFFERS"))
    (second,) = launches(run.offers(offer(2, cpus=first.tasks[0].cpus)))
    assert second.executor == first.executor


# Masters


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
    assert ask == Reconcile(tasks=(("map-0-try-1", "A"), ("map-1-try-1", "A")))
    assert run(Tick(), after=1) == []
    run(finished("map-0-try-1"))
    assert run(finished("map-1-try-1"))[-1] == Collect()


def test_a_launch_that_may_have_been_lost_is_asked_about():
    """The master answers TASK_LOST for tasks that it never heard of."""
    run = Run(MB)
    run.offers(offer(1))
    run(LaunchFailed(task_ids=("map-0-try-1",)))
    (ask,) = run(Tick(), after=RECONCILE_AFTER / 2)
    assert ask == Reconcile(tasks=(("map-0-try-1", "A"),))
    assert run(lost("map-0-try-1", "REASON_RECONCILIATION")) == [Revive()]


def test_a_framework_that_was_removed_begins_anew_with_what_is_done():
    """What was brought here counts; what ran, or was kept there, runs again."""
    run = Run(3 * MB)
    (launch,) = launches(run.offers(offer(1)))
    run(finished("map-0-try-1"))
    run(finished("map-1-try-1", kept=True))
    (uncount,) = run(Removed())
    assert uncount.task_id == "map-1-try-1"
    assert run(Registered()) == []
    (again,) = launches(run.offers(offer(2)))
    assert sorted(task.id for task in again.tasks) == ["map-1-try-2", "map-2-try-2"]
    assert again.executor.id != launch.executor.id


def test_idleness_is_measured_while_nothing_runs():
    """The shell gives up on a cluster without agents by this time."""
    run = Run(MB)
    run(Tick(), after=7)
    assert run.core.idle_for(run.now) == 7
    run.offers(offer(1))
    assert run.core.idle_for(run.now) == 0


def test_empty_inputs_need_no_task():
    """The result of nothing is empty, and complete."""
    run = Run(0, 0)
    assert run.first == [Collect()]
    assert run(Collected()) == [Finish()]


def test_unknown_tasks_are_ignored():
    """Another run's updates must not harm this one."""
    assert Run(MB)(finished("map-7-try-1")) == []


# Kept results, and reducing them


def test_results_are_kept_once_those_here_pass_their_limit():
    """The scheduler's memory is bounded; what runs already is merged all the same."""
    run = Run(64 * MB)
    (first,) = launches(run.offers(offer(1)))
    assert not any(task.keep for task in first.tasks)
    assert run(Overflow()) == []
    run(finished(first.tasks[0].id))
    (second,) = launches(run.offers(offer(2)))
    assert all(task.keep for task in second.tasks)


def test_what_is_kept_is_reduced_by_tasks():
    """Ranges of buckets, chosen by their sizes, on all workers; then the job is done."""
    run = Run(2 * MB)
    _, actions = run.kept()
    assert actions[1:] == [Collect()]
    assert run(Collected(sizes=(100, 0, 50, 51), pairs=4)) == [Revive()]
    (launch, *_) = run.offers(offer(2))
    assert [(task.content.start, task.content.stop) for task in launch.tasks] == [(0, 4)]
    assert not launch.tasks[0].keep
    assert run(finished("reduce-0-try-1"))[-1] == Finish()


def test_a_lost_executor_loses_what_it_kept():
    """Its blocks are mapped again, and what is left to reduce waits for them."""
    run = Run(2 * MB)
    launch, _ = run.kept()
    run(Collected(sizes=(9, 9), pairs=10**6))
    (reduce,) = launches(run.offers(offer(2)))
    assert len(reduce.tasks) == 2
    run(finished("reduce-0-try-1"))
    actions = run(ExecutorLost(executor_id=launch.executor.id))
    assert [action.task_id for action in of(Uncount, actions)] == ["map-0-try-1", "map-1-try-1"]
    run(lost("reduce-1-try-1", "REASON_EXECUTOR_TERMINATED"))
    (again,) = launches(run.offers(offer(3)))
    assert sorted(task.id for task in again.tasks) == ["map-0-try-2", "map-1-try-2"]
    run(finished("map-0-try-2", kept=True))
    assert run(finished("map-1-try-2", kept=True))[-1] == Collect()
    run(Collected(sizes=(9, 9), pairs=10**6))
    (rest,) = launches(run.offers(offer(4)))
    assert [task.id for task in rest.tasks] == ["reduce-1-try-2"]
    assert run(finished("reduce-1-try-2"))[-1] == Finish()


def test_an_agent_that_is_removed_loses_what_its_executor_kept():
    """Even if no task of it runs that could be reported lost."""
    run = Run(2 * MB)
    run.kept()
    assert len(of(Uncount, run(AgentLost(agent_id="A")))) == 2


def test_a_late_word_of_an_executor_that_ended_does_not_count_what_it_kept():
    """An agent repeats updates of executors that are gone: their runs are gone, too."""
    run = Run(2 * MB)
    launch, _ = run.kept(blocks=1)
    run(ExecutorLost(executor_id=launch.executor.id))
    assert of(Count, run(finished("map-1-try-1", kept=True))) == []
    assert of(Count, run(finished("map-0-try-1", kept=True))) == []
    assert run.unit("map-0").state is State.WAITING


def test_runs_that_are_out_of_reach_twice_are_lost():
    """Once may be an accident of the network: then the task just runs again."""
    run = Run(2 * MB)
    launch, _ = run.kept()
    run(Collected(sizes=(9,), pairs=1))
    run.offers(offer(2, "B"))
    out_of_reach = {"block_fault": False, "unreachable": launch.executor.id}
    assert of(Uncount, run(failed("reduce-0-try-1", **out_of_reach))) == []
    assert task_ids(run.offers(offer(3, "B"))) == ["reduce-0-try-2"]
    assert len(of(Uncount, run(failed("reduce-0-try-2", **out_of_reach)))) == 2


def test_a_result_that_is_gone_is_made_again():
    """A machine that crashed may have lost what had arrived."""
    run = Run(2 * MB)
    run.offers(offer(1))
    run(finished("map-0-try-1"))
    assert [type(action) for action in run(ResultLost(task_id="map-0-try-1"))] == [Uncount, Revive]
    assert task_ids(run.offers(offer(2))) == ["map-0-try-2"]


# Speculation


def straggling(cpus=1.0):
    """Blocks on two agents; those of A are done, but one of B takes longer than usual."""
    run = Run(8 * MB)
    first, second = launches(run.offers(offer(1, "A", cpus), offer(2, "B", cpus)))
    for task in first.tasks + second.tasks[1:]:
        run(running(task.id))
        run(finished(task.id, seconds=0.5, bytes=task.content.size), after=0.5)
    run(running(second.tasks[0].id))
    return run, second.tasks[0]


def test_a_straggler_runs_a_second_time_elsewhere_and_the_first_result_counts():
    """The last tasks of a job do not wait for one slow agent."""
    run, late = straggling()
    assert run(Tick(), after=0.5) == []
    assert run(Tick(), after=5) == [Revive()]
    backup, _ = run.offers(offer(3, "A"))
    assert [task.content for task in backup.tasks] == [late.content]
    assert run.core.speculation.launched == 1
    assert run.offers(offer(4, "A"), offer(5, "C"))[:1] == [
        Decline(offer_ids=("O4", "O5"), refuse=3600.0)
    ]
    count, kill, *_ = run(finished(backup.tasks[0].id))
    assert (count.task_id, kill) == (backup.tasks[0].id, Kill(task_id=late.id))
    assert run(finished(late.id)) == []


def test_a_straggler_does_not_run_twice_on_its_own_agent():
    """What is slow there would be slow again."""
    run, _ = straggling(cpus=2.0)
    run(Tick(), after=60)
    assert launches(run.offers(offer(3, "B", cpus=2.0))) == []
    assert len(task_ids(run.offers(offer(4, "A", cpus=2.0)))) == 1


def test_idle_agents_that_are_offered_at_once_do_not_take_the_same_straggler():
    """Two attempts are enough."""
    run, _ = straggling()
    run(Tick(), after=60)
    assert len(task_ids(run.offers(offer(3, "A"), offer(4, "C")))) == 1


def test_tasks_that_wait_for_others_are_no_stragglers():
    """Only those whose executor says nothing for long."""
    run = Run(8 * MB)
    first, second = launches(run.offers(offer(1, "A"), offer(2, "B")))
    for task in first.tasks:
        run(finished(task.id, seconds=0.5, bytes=task.content.size))
    for task in second.tasks[:-1]:
        run(running(task.id), after=3)
        run(finished(task.id, seconds=1.4, bytes=task.content.size), after=1)
        assert launches(run.offers(offer(9, "A"))) == []


# Whatever happens


class World:
    """A cluster that follows a core's actions, and keeps its own account of what is where."""

    def __init__(self, *sizes):
        self.run = Run(*sizes)
        self.known: dict[str, object] = {}
        self.held: dict[str, object] = {}
        self.number = 0
        self.dead: set[str] = set()
        self.keeps: dict[str, bool] = {}
        self.reduced: dict[int, str] = {}
        self.listed: list[str] = []
        self.failed = False

    def feed(self, event):
        for action in self.run(event):
            match action:
                case Launch():
                    for task in action.tasks:
                        assert task.id not in self.known
                        self.known[task.id] = task.content
                        if not isinstance(task.content, Block):
                            assert self.listed == sorted(self.held)
                        self.keeps[task.id] = task.keep
                case Count() if isinstance(action.content, Block):
                    self.held[action.task_id] = action.content
                case Count():
                    self.reduced[action.content.number] = action.task_id
                case Uncount():
                    self.held.pop(action.task_id, None)
                    assert isinstance(action.content, Block)
                case Collect():
                    self.collect()
                case Fail():
                    self.failed = True

    def collect(self):
        self.assert_exact()
        self.listed = sorted(self.held)
        runs = any(self.keeps[task] for task in self.held) or self.run.core.work.partitioned
        self.feed(Collected(sizes=(10,) * BUCKETS if runs else (), pairs=10**6))

    def assert_exact(self):
        """Each byte of the inputs is in exactly one result that is held."""
        numbers = [content.number for content in self.held.values()]
        assert len(numbers) == len(set(numbers))
        spans = sorted(
            (part.source, part.start, part.end)
            for content in self.held.values()
            for part in content.ranges
        )
        for source, extent in enumerate(self.run.core.extents):
            own = [(start, end) for number, start, end in spans if number == source]
            if extent.size is None:
                assert own == [(0, None)]
                continue
            borders = [0, *(end for _, end in own)]
            assert [start for start, _ in own] == borders[:-1]
            assert borders[-1] == extent.size

    def offer_both(self):
        self.number += 2
        self.feed(Offers(offers=(offer(self.number, "A"), offer(self.number + 1, "B"))))

    @property
    def live(self):
        return sorted(task for task in self.known if self.run.core.attempts[task].live)

    def executor(self, task):
        return self.run.core.attempts[task].executor.id

    def finish(self, task):
        self.feed(running(task))
        self.feed(finished(task, kept=self.keeps[task], seconds=0.1, bytes=1 << 20))

    def end_executor(self, executor):
        live = [task for task in self.live if self.executor(task) == executor]
        self.dead.add(executor)
        self.feed(ExecutorLost(executor_id=executor))
        for task in live:
            self.feed(lost(task, "REASON_EXECUTOR_TERMINATED"))

    def fault(self, kind, choice):
        live = self.live
        target = live[choice % len(live)] if live else None
        match kind:
            case "failover":
                self.feed(Disconnected())
                self.feed(Registered(again=True))
            case "removed":
                self.dead.update(self.run.core.fleet.launched)
                self.feed(Removed())
                self.feed(Registered())
            case "late":
                self.finish(sorted(self.known)[choice % len(self.known)])
            case "overflow":
                self.feed(Overflow())
            case "time":
                self.run(Tick(), after=choice / 10)
            case "agent":
                self.feed(AgentLost(agent_id="AB"[choice % 2]))
            case "result":
                own = sorted(task for task in self.held if not self.keeps[task])
                if own:
                    self.feed(ResultLost(task_id=own[choice % len(own)]))
            case "finish" if target:
                self.finish(target)
            case "lose" if target:
                self.feed(running(target))
                self.feed(lost(target))
            case "drain" if target:
                # Who has it ends it: the executor, once it has begun.
                self.feed(drained(target, from_executor=choice % 2 == 0))
            case "gone" if target:
                self.feed(lost(target, "REASON_AGENT_REMOVED_BY_OPERATOR"))
            case "damage" if target:
                self.feed(finished(target, intact=False))
            case "unreachable" if target and target.startswith("reduce"):
                keepers = sorted({u.keeper for u in self.run.core.work.units.values() if u.keeper})
                if keepers:
                    other = keepers[choice % len(keepers)]
                    self.feed(failed(target, block_fault=False, unreachable=other))
            case "executor" if target:
                self.end_executor(self.executor(target))


FAULTS = st.sampled_from(
    [
        *("finish", "lose", "executor", "damage", "late", "failover", "overflow", "time"),
        *("agent", "result", "unreachable", "removed", "finish", "finish", "drain", "gone"),
    ]
)


SIZES = st.sampled_from([(3 * MB, None, 5 * MB), (2 * MB,), (MB, MB)])


@settings(max_examples=400)
@given(sizes=SIZES, faults=st.lists(st.tuples(FAULTS, st.integers(0, 999)), max_size=80))
@example((MB,), [("overflow", 0), *[("lose", 0)] * 3, ("finish", 0), ("executor", 0)])
@example((MB, MB), [("lose", 3), ("executor", 0), ("executor", 1), ("finish", 0), ("agent", 0)])
def test_each_block_counts_exactly_once_whatever_happens(sizes, faults):
    """Random faults, then a quiet cluster: the job completes, or fails after its bounds."""
    world = World(*sizes)
    world.offer_both()
    for kind, choice in faults:
        if not world.run.core.over:
            world.fault(kind, choice)
            world.offer_both()
    while not world.run.core.over:
        assert world.live
        for task in world.live:
            world.finish(task)
        world.offer_both()
    if not world.failed:
        partitions = [u for u in world.run.core.work.units.values() if u.kind == "reduce"]
        assert sorted(world.reduced) == [unit.content.number for unit in partitions]
        borders = [(unit.content.start, unit.content.stop) for unit in partitions]
        assert not borders or (borders[0][0], borders[-1][1]) == (0, BUCKETS)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(borders))
        if not partitions:
            world.assert_exact()


@settings(max_examples=100)
@given(faults=st.lists(st.tuples(FAULTS, st.integers(0, 999)), max_size=40))
def test_the_same_events_make_the_same_core(faults):
    """So that a journal of events is all that it takes to resume a run."""
    told = []

    class Recorded(World):
        def feed(self, event):
            told.append((event, self.run.now))
            super().feed(event)

    world = Recorded(3 * MB, None, 5 * MB)
    world.offer_both()
    for kind, choice in faults:
        if not world.run.core.over and kind != "time":
            world.fault(kind, choice)
            world.offer_both()
    again = Run(3 * MB, None, 5 * MB)
    for event, at in told:
        again.core.handle(event, at)
    for core in (world.run.core, again.core):
        core.work.rate = round(core.work.rate)
    ours, theirs = ([*core.work.units.values()] for core in (world.run.core, again.core))
    assert [(u.name, u.state, u.counted, u.keeper, u.live, u.history) for u in ours] == [
        (u.name, u.state, u.counted, u.keeper, u.live, u.history) for u in theirs
    ]


def test_an_illegal_move_shows_the_units_history():
    """What should never happen says how it came about."""
    run = Run(MB)
    run.offers(offer(1))
    run(finished("map-0-try-1"))
    with pytest.raises(AssertionError, match="map-0-try-1"):
        run.unit("map-0").move(State.LAUNCHED, "test")
