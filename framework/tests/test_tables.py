"""Tables gather pairs exactly, however they meet, travel and are shared out."""

import marshal
from collections import Counter

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.job import Block, Job
from mapreduce.tables import BUCKETS, NotPlainError, bucket, in_order, rows_of, stable_hash

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5)
)
KEYS = st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(tuple))


class Sum(Job):
    def map(self, block):
        return Counter(block.split())

    def combine(self, left, right):
        return left + right


class Lines(Job):
    """Does not combine."""

    def map(self, block):
        for line in block.splitlines():
            yield line[:1], line.decode()


class Returns(Job):
    def __init__(self, pairs=(), rows=()):
        self.pairs, self.rows = pairs, rows

    def map(self, block):
        return self.pairs

    def reduce(self, key, value):
        return self.rows


def filled(job, *blocks):
    table = job.table()
    for block in blocks:
        table.map(Block(block))
    return table


@given(words=st.lists(st.sampled_from([b"to", b"be", b"or", b"not"])), cut=st.integers(0, 50))
def test_pairs_are_combined_wherever_they_meet(words, cut):
    """In one table or two, mapped or merged, in one bucket or in many."""
    total = filled(Sum())
    for share, buckets in ((words[:cut], 1), (words[cut:], BUCKETS)):
        part = filled(Sum(), b" ".join(share))
        count = len(part)
        payloads = part.dump(buckets)
        assert len(payloads) == buckets
        assert len(part) == 0
        assert list(part.rows()) == []
        for payload in filter(None, payloads):
            total.merge(payload)
        assert count == len(set(share))
    assert dict(total.rows()) == {k.decode(): v for k, v in Counter(words).items()}
    assert len(total) == len(set(words))


def test_values_that_are_not_combined_come_as_a_sorted_list():
    """Whether they met in map or in merge, and in whatever order."""
    ahead, behind = filled(Lines(), b"ab\nxx\naz", b"aa"), filled(Lines(), b"ac")
    for payload in behind.dump():
        ahead.merge(payload)
    assert dict(ahead.rows()) == {"a": ["aa", "ab", "ac", "az"], "x": ["xx"]}


def test_lists_of_values_that_do_not_compare_have_an_order_too():
    """An order that does not depend on how the values met."""
    values = [{"a": 1}, 2, True, 1, None, "x", 1.0]
    assert in_order(values) == in_order(values[::-1])
    assert in_order([{"b": 1}, {"a": 1}]) == [{"a": 1}, {"b": 1}]
    assert in_order([2, 1.5, 1]) == [1, 1.5, 2]


@given(st.lists(st.tuples(KEYS, st.integers()), max_size=30))
def test_every_key_is_in_the_bucket_of_its_hash(pairs):
    """Reducers find all of a key's values in one bucket."""
    table = filled(Returns(pairs), b"x")
    found = 0
    for number, payload in enumerate(table.dump(BUCKETS)):
        for key in marshal.loads(payload) if payload else ():
            assert bucket(key) == number
            found += 1
    assert found == len(dict(pairs))


@given(KEYS, KEYS)
def test_equal_keys_have_equal_hashes(left, right):
    """As dicts take them for one key."""
    assert 0 <= stable_hash(left) < 1 << 64
    if left == right:
        assert stable_hash(left) == stable_hash(right)


def test_numbers_that_are_equal_share_a_bucket():
    """Whatever their types, also inside tuples."""
    for same in ((1, 1.0, True), (0, -0.0, False), (2**53, float(2**53)), ((1, 0.0), (True, 0))):
        assert len(set(map(stable_hash, same))) == 1


def test_hashes_never_change():
    """Runs of one job may be written by different Pythons on different machines."""
    keys = (b"word", "word", 1, -1, 0.5, None, ("a", 1))
    assert [bucket(key) for key in keys] == [767, 767, 632, 782, 320, 0, 120]


def test_buckets_are_about_equally_full():
    """Of keys that differ little, too."""
    for keys in (range(100_000), (b"%d" % n for n in range(100_000)), map(str, range(100_000))):
        sizes = Counter(map(bucket, keys))
        assert len(sizes) == BUCKETS
        assert max(sizes.values()) < 2 * 100_000 / BUCKETS


@pytest.mark.parametrize(
    "pair",
    [
        ("key", {1, 2}),
        ("key", Counter(a=1)),
        ("key", [1, ({"x": (object(),)},)]),
        ("key", numpy.int64(1)),
        (frozenset(), 1),
        (numpy.float64(1), 1),
    ],
    ids=repr,
)
def test_pairs_that_cannot_travel_are_refused(pair):
    """Not changed on the way, as marshal does to numpy's numbers."""
    with pytest.raises(NotPlainError, match="must be plain data"):
        filled(Returns([pair]), b"x").dump()


def test_a_map_that_returns_nothing_is_told_so():
    """The usual mistake."""
    with pytest.raises(TypeError, match="yields them"):
        filled(Returns(None), b"x")


@pytest.mark.parametrize(
    ("returned", "rows"),
    [
        (("a", 1), [("a", 1)]),
        ([("a", 1), ("b", 2)], [("a", 1), ("b", 2)]),
        (iter([("a", 1)]), [("a", 1)]),
        ([], []),
        ((5, 1), [("5", 1)]),
        ((b"\xff", 1), [("\udcff", 1)]),
    ],
)
def test_reduce_may_return_a_row_or_several(returned, rows):
    """A tuple is a row; everything else that can be iterated over is several."""
    assert list(filled(Returns([("key", 0)], returned), b"x").rows()) == rows


@pytest.mark.parametrize("returned", [None, 7, "row", ["row"], ("a", 1, 2), [("a",)]])
def test_what_is_no_row_is_refused(returned):
    """Rather than a result that lacks something."""
    with pytest.raises(TypeError, match="row"):
        list(filled(Returns([("key", 0)], returned), b"x").rows())


@pytest.mark.parametrize(
    ("job", "blocks"),
    [
        (Sum(), [b" ".join(b"%d" % n for n in range(20_000))]),
        (Lines(), [b"a%d\n" % n for n in range(20_000)]),
    ],
)
def test_the_memory_in_use_is_estimated(job, blocks):
    """Of many keys, and of one key with many values; nothing is left after a dump."""
    table = filled(job, *blocks)
    assert 20_000 * 40 < table.nbytes < 20_000 * 400
    table.dump()
    assert table.nbytes < 1000


def test_values_that_grow_are_noticed():
    """A key's value may be most of a table."""

    class Join(Job):
        def map(self, block):
            yield 1, block.decode()

        def combine(self, left, right):
            return left + right

    table = filled(Join(), *[b"x" * 1000] * 100)
    assert 100_000 < table.nbytes < 110_000


@pytest.mark.parametrize("value", [numpy.float64(1.5), [numpy.int64(1)], bytearray(b"x")])
def test_rows_of_other_than_plain_data_are_refused(value):
    """Marshal would take them, and give back bytes."""
    with pytest.raises(NotPlainError, match="must be plain data"):
        list(rows_of(("a", value)))
    assert list(rows_of([("a", 1.5), ("b", [1, {"c": None}])])) == [
        ("a", 1.5),
        ("b", [1, {"c": None}]),
    ]
