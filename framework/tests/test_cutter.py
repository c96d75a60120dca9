"""Inputs are cut completely, whatever their sizes and those of the blocks."""

from hypothesis import given
from hypothesis import strategies as st

from mapreduce.core.cutter import MOST_RANGES, Block, Cutter, Extent, Range

EXTENTS = st.lists(
    st.tuples(st.none() | st.integers(0, 5000), st.booleans()).map(
        lambda about: Extent("x", about[0], splittable=about[1] and about[0] is not None)
    ),
    max_size=30,
)


def blocks(extents, size=100):
    cutter = Cutter(extents)
    found = []
    while not cutter.exhausted:
        found.append(cutter.cut(size))
    assert cutter.remaining == 0
    return found


def ranges(extents, size=100):
    return [list(block.ranges) for block in blocks(extents, size)]


@given(EXTENTS, st.lists(st.integers(1, 6000), min_size=1))
def test_every_byte_is_in_exactly_one_block(extents, sizes):
    """Whatever the blocks' sizes, which change as the job goes on."""
    cutter = Cutter(extents)
    found: list[Block] = []
    while not cutter.exhausted:
        found.append(cutter.cut(sizes[len(found) % len(sizes)]))
    assert [block.number for block in found] == list(range(len(found)))
    for source, extent in enumerate(extents):
        own = [part for block in found for part in block.ranges if part.source == source]
        if extent.size == 0:
            assert own == []
        elif not extent.splittable:
            assert own == [Range(source, 0, None)]
        else:
            assert [part.start for part in own] == [0, *(part.end for part in own[:-1])]
            assert own[-1].end == extent.size
            assert all(part.start < part.end for part in own)
    assert sum(block.size for block in found) == sum(extent.size or 0 for extent in extents)


@given(EXTENTS, st.integers(1, 6000))
def test_blocks_are_no_larger_than_asked_unless_they_can_not_be_split(extents, size):
    """The last of a range that was joined to others is cut to fit."""
    for block in blocks(extents, size):
        if all(extents[part.source].splittable for part in block.ranges):
            assert 0 < block.size <= size


def test_small_inputs_share_a_block_and_large_ones_are_split():
    """A thousand small files are not a thousand tasks."""
    extents = [Extent("a", 30), Extent("b", 30), Extent("c", 150)]
    assert ranges(extents) == [
        [Range(0, 0, 30), Range(1, 0, 30), Range(2, 0, 40)],
        [Range(2, 40, 140)],
        [Range(2, 140, 150)],
    ]


def test_small_compressed_inputs_share_a_block_and_large_ones_have_their_own():
    """They weigh more than their size, as they grow when they are read."""
    packed = [Extent("x", size, splittable=False) for size in (10, 15, 90)]
    assert ranges(packed) == [[Range(0, 0, None), Range(1, 0, None)], [Range(2, 0, None)]]


def test_an_input_of_unknown_size_is_a_block_of_its_own():
    """It may be huge."""
    extents = [Extent("a", 30), Extent("b", None, splittable=False), Extent("c", 30)]
    assert ranges(extents) == [[Range(0, 0, 30)], [Range(1, 0, None)], [Range(2, 0, 30)]]


def test_empty_inputs_need_no_block():
    """Nothing is in them."""
    assert ranges([Extent("a", 0), Extent("b", 0)]) == []


def test_a_block_has_no_more_ranges_than_fit_into_a_task():
    """Task data is no place for long lists."""
    assert [len(part) for part in ranges([Extent("x", 1)] * (MOST_RANGES + 1), 10**6)] == [256, 1]


def test_a_block_is_described_by_its_inputs_and_bytes():
    """The user learns where to look."""
    extents = [Extent(name, 10) for name in "abcde"]
    block = Cutter([Extent("a", None), *extents[1:]]).cut(5)
    assert block.describe(extents) == "block 0 (all of 'a')"
    block = Cutter(extents).cut(50)
    assert block.describe(extents) == (
        "block 0 (bytes 0-10 of 'a', bytes 0-10 of 'b', bytes 0-10 of 'c' and 2 more)"
    )
