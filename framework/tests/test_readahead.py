"""Reading ahead: everything in order, no further than the budget, and an end to it at any time."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.executor.readahead import Budget, Feed

PATIENCE = 60
"""Seconds for what takes no time at all, unless it never comes to its end."""


def filling(feed, items):
    thread = threading.Thread(target=feed.fill, args=(items,), daemon=True)
    thread.start()
    return thread


@given(st.lists(st.binary(min_size=1, max_size=20)), st.integers(0, 30))
def test_items_come_in_order_whatever_the_budget(items, limit):
    """Also items that are larger than it."""
    feed = Feed(Budget(limit))
    thread = filling(feed, (item for item in items))
    assert list(feed) == items
    thread.join(PATIENCE)
    assert feed._budget.used == 0


def test_no_more_lies_ready_than_the_budget_allows():
    """Of all feeds together."""
    budget = Budget(10)
    read = []

    def items():
        for number in range(100):
            read.append(number)
            yield bytes(4)

    first, second = Feed(budget), Feed(budget)
    first.fill(iter_of(bytes(4)))
    thread = filling(second, items())
    assert next(iter(first))
    for number, _ in enumerate(second):
        assert budget.used <= 10
        assert len(read) <= number + 4  # two that lie ready, and one that finds no room yet
    thread.join(PATIENCE)
    assert len(read) == 100


def iter_of(*items):
    yield from items


def test_what_reading_raises_comes_behind_what_was_read():
    """The worker meets it in its place."""

    def items():
        yield b"a"
        raise ValueError("no more")

    feed = Feed(Budget(10))
    feed.fill(items())
    seen = []
    with pytest.raises(ValueError, match="no more"):
        seen.extend(feed)
    assert next(iter(Feed(Budget(10))._items), None) is None


def test_leaving_a_feed_ends_its_reader_and_frees_its_budget():
    """A task that failed must not hold up the next one."""
    budget = Budget(10)
    closed = threading.Event()

    def items():
        try:
            while True:
                yield bytes(6)
        finally:
            closed.set()

    feed = Feed(budget)
    thread = filling(feed, items())
    with feed:
        next(iter(feed))
    thread.join(PATIENCE)
    assert closed.wait(PATIENCE)
    assert budget.used == 0


def test_what_a_feed_leaves_frees_its_budget():
    """Items that were read ahead for a task that failed."""
    budget = Budget(10)
    feed = Feed(budget)
    feed.fill(iter_of(bytes(4), bytes(4)))
    with feed:
        assert budget.used == 8
    assert budget.used == 0


def test_the_time_that_a_worker_waits_is_measured():
    """It tells whether the input is what holds a job up."""
    feed = Feed(Budget(10))
    gate = threading.Event()

    def items():
        gate.wait()
        yield b"a"

    threading.Timer(0.1, gate.set).start()
    thread = filling(feed, items())
    assert list(feed) == [b"a"]
    thread.join(PATIENCE)
    assert feed.waited > 0
