"""Counting is exact: in compiled code and without, whatever the text, the cut and the memory."""

import random
import shutil
import subprocess
import sys
from collections import Counter

import awkward_text
import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapreduce import counts
from mapreduce.counts import CountTable
from mapreduce.job import Block, Job
from mapreduce.jobs.wordcount import WordCount
from mapreduce.kernel import native
from mapreduce.kernel.layout import SHORT
from mapreduce.kernel.table import Kernel
from mapreduce.tables import BUCKETS, bucket

FRAGMENTS = st.one_of(
    awkward_text.FRAGMENTS,
    st.sampled_from([7, 8, 9, 14, 15, 16, 17, 23, 24, 25, 62, 63, 64, 65, 66, 128]).map(
        lambda length: b"x" * length
    ),
)
TEXTS = st.lists(FRAGMENTS, max_size=80).map(b"".join)


def expected(text: bytes) -> Counter:
    words = text.decode("utf-8", "surrogateescape").split()
    return Counter(word.encode("utf-8", "surrogateescape") for word in words)


def pairs(kernel: Kernel) -> dict[bytes, int]:
    """All pairs of a kernel, each once."""
    keys, lengths, amounts = kernel.export(kernel.places())
    found = list(counts._cut(keys, lengths))
    assert len(set(found)) == len(found) == len(kernel)
    return dict(zip(found, amounts.tolist(), strict=True))


@settings(max_examples=500)
@given(texts=st.lists(TEXTS, max_size=3))
@example(texts=[b"x" * 64, b"x" * 63 + b" ", b""])
@example(texts=[b"x" * 62 + b"\xe2\x80\x83y", b"x" * 63 + b"\xc2\xa0y", b"x" * 63 + b"\xe2\x80"])
def test_words_are_those_of_split(texts):
    """On every border of what is looked at in one go, and at the end of the text."""
    kernel, total = Kernel(), Counter()
    for text in texts:
        kernel.count(text)
        total += expected(text)
    assert pairs(kernel) == total


@pytest.mark.parametrize("space", awkward_text.SPACES, ids=ascii)
def test_each_white_space_is_found_wherever_it_stands(space):
    """In each position of a chunk, and across the border of two."""
    for ahead in range(130):
        text = b"a" * ahead + space.encode() + b"b"
        kernel = Kernel()
        kernel.count(text)
        assert pairs(kernel) == expected(text), ahead


def test_bytes_that_resemble_white_space_do_not_separate():
    """Every pair and triple that begins as encoded white space does."""
    kernel = Kernel()
    text = b"".join(
        bytes([first, second, third]) + b"."
        for first in (0xC2, 0xE1, 0xE2, 0xE3)
        for second in range(0x7E, 0xA2)
        for third in (*range(0x7E, 0x92), *range(0x9E, 0xB2))
    )
    kernel.count(text)
    assert pairs(kernel) == expected(text)


def test_words_that_differ_in_nul_bytes_only_differ():
    """Short words are compared as numbers, which must not swallow zeros."""
    words = [b"\0" * n for n in range(1, 40)] + [b"a" + b"\0" * n for n in range(40)]
    kernel = Kernel()
    kernel.count(b" ".join(words))
    assert pairs(kernel) == dict.fromkeys(words, 1)


def test_the_table_grows_with_short_and_with_long_words():
    """Past every size it begins with, with words that come again in another order."""
    random.seed(3)
    words = [b"%d" % n for n in range(60_000)]
    words += [b"%d" % n * random.randrange(4, 30) for n in range(20_000)]
    words += [b"y" * 100_000, b"y" * 100_001, b"z" * 1_000_000]
    kernel = Kernel()
    for _ in range(2):
        random.shuffle(words)
        kernel.count(b" ".join(words))
    assert pairs(kernel) == Counter(words + words)
    used = kernel.nbytes
    kernel.clear()
    assert (len(kernel), pairs(kernel)) == (0, {})
    assert kernel.nbytes < used / 10


def test_a_table_takes_in_a_larger_one_without_piling_up():
    """Its keys come in the order of their hashes; the way to a free slot must stay short.

    With the fault that this is about, this takes minutes rather than a second.
    """
    large, small = Kernel(), Kernel()
    large.count(b" ".join(b"%d" % n for n in range(1_000_000)))
    small.add(*large.export(large.places()))
    assert len(small) == len(large) == 1_000_000


KEYS = st.binary(min_size=1, max_size=3 * SHORT)


@given(added=st.lists(st.tuples(KEYS, st.integers(-(2**40), 2**40)), max_size=300))
def test_keys_are_added_with_their_counts(added):
    """Any bytes, in batches of any size; counts of one key are added up."""
    kernel = Kernel()
    for half in (added[: len(added) // 2], added[len(added) // 2 :]):
        kernel.add(*counts._columns(half))
    total = {}
    for key, count in added:
        total[key] = total.get(key, 0) + count
    assert pairs(kernel) == total


@given(keys=st.sets(KEYS, max_size=100))
def test_the_kernel_knows_the_buckets(keys):
    """The same as Python has for the key, with or without numba."""
    kernel = Kernel()
    kernel.add(*counts._columns((key, 1) for key in keys))
    shares = kernel.by_bucket(BUCKETS)
    for number in set(map(bucket, keys)):
        found, lengths, _ = kernel.export(shares[number])
        assert set(counts._cut(found, lengths)) == {key for key in keys if bucket(key) == number}
    assert sum(map(len, shares)) == len(keys)


@given(added=st.dictionaries(KEYS, st.integers(1, 3), max_size=100))
def test_keys_come_in_order(added):
    """By key, or by count and then key; those of more than 15 bytes by their beginning."""
    kernel = Kernel()
    kernel.add(*counts._columns(added.items()))
    for by_count in (False, True):
        found, lengths, amounts = kernel.export(kernel.in_order(by_count=by_count))
        keys = list(counts._cut(found, lengths))
        assert dict(zip(keys, amounts.tolist(), strict=True)) == added
        ranks = [(-added[key] if by_count else 0, key[:16].ljust(16, b"\0")) for key in keys]
        assert ranks == sorted(ranks)
        short = [(-added[key] if by_count else 0, key) for key in keys if len(key) < 16]
        assert short == sorted(short)


@pytest.fixture(params=["kernel", "dict"])
def _engine(request, monkeypatch):
    """With compiled code, and as where there is no numba."""
    if request.param == "kernel":
        counts.prepare()
    else:
        monkeypatch.setattr(counts, "kernels", counts._Kernels())
        monkeypatch.setattr(counts, "prepare", lambda **_: None)


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize("buckets", [1, BUCKETS])
def test_tables_dump_and_merge(buckets):
    """Whatever is mapped comes back, once, and nothing stays."""
    text = (
        b"to be or not to be that is the question whether " * 3 + b"nobler\xff than antidisestabli"
    )
    table, total = WordCount().table(), WordCount().table()
    assert type(table) is CountTable
    for _ in range(2):
        table.map(Block(text))
        assert len(table) == len(expected(text))
        assert table.nbytes > 0
        payloads = table.dump(buckets)
        assert len(payloads) == buckets
        assert len(table) == 0
        assert table.dump(buckets) == [b""] * buckets
        for payload in filter(None, payloads):
            total.merge(payload)
    rows = {key.decode("utf-8", "surrogateescape"): 2 * n for key, n in expected(text).items()}
    assert dict(total.rows()) == rows


def test_payloads_are_the_same_with_and_without_numba(monkeypatch):
    """Agents and client need not have the same libraries."""
    text = Block(b" ".join(b"%d" % (n % 777) * (n % 9 + 1) for n in range(5000)))
    counts.prepare()
    compiled = WordCount().table()
    compiled.map(text)
    ours = [dict(counts_of(payload)) for payload in compiled.dump(BUCKETS)]
    monkeypatch.setattr(counts, "kernels", counts._Kernels())
    plain = WordCount().table()
    plain.map(text)
    assert ours == [dict(counts_of(payload)) for payload in plain.dump(BUCKETS)]


def counts_of(payload):
    if not payload:
        return []
    keys, lengths, amounts = counts._decoded(payload)
    return zip(counts._cut(keys, lengths), amounts.tolist(), strict=True)


@pytest.mark.parametrize(
    ("most", "width"), [(1, 1), (127, 1), (128, 2), (2**15, 4), (2**31, 8), (2**62, 8)]
)
def test_counts_of_every_size_travel(most, width):
    """In as few bytes as the largest needs."""
    payload = counts._encoded(b"ab", numpy.array([1, 1]), numpy.array([most, -most]))
    assert list(counts_of(payload)) == [(b"a", most), (b"b", -most)]
    assert len(payload) == 10 + 2 * (1 + width + 1)


def test_a_table_goes_over_to_compiled_code_and_keeps_what_it_has(monkeypatch):
    """Once it has seen enough; nothing is counted twice."""
    monkeypatch.setattr(counts, "kernels", counts._Kernels())
    monkeypatch.setattr(counts, "PAYS", 100)
    table = WordCount().table()
    table.map(Block(b"to be or not to be"))
    assert counts.kernels.loading is None
    table.map(Block(b"to be " * 20))  # too much for the dict, so that compiled code is loaded
    counts.kernels.loading.join()
    table.map(Block(b"or not"))
    assert table._kernel is not None
    assert dict(table.rows()) == {"to": 22, "be": 22, "or": 2, "not": 2}


def test_without_numba_the_dict_serves(monkeypatch, capsys):
    """It is said once, in the executor's log."""
    monkeypatch.setattr(counts, "kernels", counts._Kernels())
    monkeypatch.setitem(sys.modules, "mapreduce.kernel.table", None)
    counts.prepare()
    counts.prepare()
    table = WordCount().table()
    table.map(Block(b"a"))
    assert dict(table.rows()) == {"a": 1}
    assert capsys.readouterr().err.count("without compiled code") == 1


class Twice(WordCount):
    def map(self, block):
        return dict.fromkeys(block.split(), 2)


class Named(WordCount):
    def reduce(self, key, value):
        return [(f"{key!r}", value), ("again", value)]


class Lengths(Job):
    """Counts, but not words."""

    def map(self, block):
        for word in block.split():
            yield b"%d" % len(word), 1

    def table(self):
        return CountTable(self)


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("job", "rows"),
    [
        (Twice(), [("a", 2), ("bc", 2)]),
        (Named(), [("again", 1), ("again", 2), ("b'a'", 1), ("b'bc'", 2)]),
        (Lengths(), [("1", 1), ("2", 2)]),
    ],
)
def test_what_a_job_does_in_its_own_way_is_done(job, rows):
    """A derived class' map and reduce are called; counts of other things than words add up."""
    table = job.table()
    table.map(Block(b"a bc bc"))
    assert sorted(table.rows()) == rows


CHECK = """
import sys
from mapreduce.kernel.table import Kernel
kernel = Kernel()
kernel.count(b"to be or not to be")
print(len(kernel), "numba" in sys.modules)
"""


def run(package, cache):
    """The check in a process of its own, by a copy of the package."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        env={"PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.fixture
def package(tmp_path):
    """A copy of the package that nobody has compiled."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(native.HERE.parent, tmp_path / "mapreduce", ignore=ignored)
    return tmp_path / "mapreduce"


def kept(folder):
    return sorted(path.name for path in folder.glob("*.bin"))


@pytest.mark.slow
def test_compiled_code_is_kept_and_found_again(package, tmp_path):
    """Beside the sources; the second process does without numba; other sources have other code."""
    assert run(package, tmp_path / "cache") == (["4", "True"], "")
    [name] = kept(package / "kernel" / "__pycache__")
    assert run(package, tmp_path / "cache") == (["4", "False"], "")
    (package / "kernel" / "slots.py").open("a").write("# changed\n")
    assert run(package, tmp_path / "cache") == (["4", "True"], "")
    assert name in kept(package / "kernel" / "__pycache__")
    assert len(kept(package / "kernel" / "__pycache__")) == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_compiled_code_goes_where_the_user_can_write(package, tmp_path):
    """And where that is nowhere, counting goes on, and the log tells what would help."""
    shutil.rmtree(package / "kernel" / "__pycache__", ignore_errors=True)
    (package / "kernel" / "__pycache__").write_text("in the way")
    assert run(package, tmp_path / "cache") == (["4", "True"], "")
    assert len(kept(tmp_path / "cache" / "mapreduce")) == 1
    assert run(package, tmp_path / "cache") == (["4", "False"], "")
    (tmp_path / "file").write_text("in the way, too")
    found, said = run(package, tmp_path / "file")
    assert found == ["4", "True"]
    assert said.count("python -m mapreduce.kernel") == 1
    assert str(package) in said
    assert str(tmp_path / "file") in said
