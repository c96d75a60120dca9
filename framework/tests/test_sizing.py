"""Sizes follow from offers, rates and what is left."""

from hypothesis import given
from hypothesis import strategies as st

from mapreduce.core import sizing
from mapreduce.core.cutter import LARGEST, SMALLEST

SIZES = st.lists(st.integers(0, 10**7), min_size=1, max_size=64)


@given(SIZES, st.integers(0, 10**8), st.integers(1, 64))
def test_partitions_cover_all_buckets_once_and_none_is_empty_of_buckets(sizes, pairs, workers):
    """Each key is reduced by exactly one task."""
    found = sizing.partitions(sizes, pairs, workers)
    if not sum(sizes):
        assert found == []
        return
    assert [part.number for part in found] == list(range(len(found)))
    assert [part.start for part in found] == [0, *(part.stop for part in found[:-1])]
    assert found[-1].stop == len(sizes)
    assert all(part.start < part.stop for part in found)
    assert [part.size for part in found] == [sum(sizes[p.start : p.stop]) for p in found]


@given(SIZES, st.integers(0, 10**8), st.integers(1, 8))
def test_partitions_fit_into_a_worker(sizes, pairs, workers):
    """By more than a bucket they do not pass the limit: buckets are the grain."""
    for part in sizing.partitions(sizes, pairs, workers):
        assert part.size <= sizing.PARTITION_BYTES + max(sizes)
        if pairs:
            held = part.size * pairs / sum(sizes)
            grain = max(sizes) * pairs / sum(sizes)
            assert held <= sizing.PARTITION_PAIRS + grain + 1


def test_no_worker_is_idle_while_there_is_something_to_reduce():
    """Small as the partitions may be."""
    assert len(sizing.partitions([5] * 1024, 100, 7)) == 7


def test_a_block_takes_about_a_second():
    """Unless that is too small or too large."""
    assert sizing.block_size(1 << 40, 2, rate=5e6) == 5_000_000
    assert sizing.block_size(1 << 40, 2, rate=1e3) == SMALLEST
    assert sizing.block_size(1 << 40, 2, rate=1e12) == LARGEST


def test_blocks_shrink_towards_the_end():
    """So that all workers end at about the same time, without tiny blocks at the very end."""
    left, cut = 100 << 20, []
    while left:
        cut.append(min(left, sizing.block_size(left, 2, rate=3e7)))
        left -= cut[-1]
    assert cut[:-1] == sorted(cut[:-1], reverse=True)
    assert min(cut) >= SMALLEST // 2
    assert cut[0] == 25 << 20


def test_the_last_blocks_are_still_worth_their_tasks():
    """What a fast job maps in a moment is not cut any smaller."""
    assert sizing.block_size(2 << 30, 2, rate=5e8) == LARGEST
    assert sizing.block_size(40 << 20, 2, rate=5e8) == 15_000_000
