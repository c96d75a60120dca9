"""What the scheduler merges is exact, whether it fits into its table or not."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapreduce.errors import JobFailedError
from mapreduce.exchange import results
from mapreduce.exchange.runs import Run
from mapreduce.job import Block, Job
from mapreduce.scheduler import merging
from mapreduce.scheduler.merging import Merger, RunList, add_sizes
from mapreduce.tables import BUCKETS


class Letters(Job[str, int]):
    def map(self, block):
        return Counter(block.decode())

    def combine(self, left, right):
        return left + right

    def order(self, row):
        return -row[1], row[0]


class Bad(Letters):
    def combine(self, left, right):
        raise ValueError("no")


def payloads(folder, texts):
    for number, text in enumerate(texts):
        table = Letters().table()
        table.map(Block(text.encode()))
        path = folder / f"part-{number}"
        path.write_bytes(table.dump()[0])
        yield path


def rows(merger, path, top=None):
    keys = merger.reduce(path, top)
    return keys, list(results.read_rows(path))


TEXTS = st.lists(st.text("abcdefgh", min_size=1, max_size=20), max_size=8)


@given(TEXTS)
def test_the_rows_are_those_of_all_payloads_in_order(tmp_path_factory, texts):
    """Each payload counts once."""
    folder = tmp_path_factory.mktemp("merger")
    merger = Merger(Letters(), folder)
    merger.add(payloads(folder, texts))
    merger.drain()
    expected = Counter("".join(texts))
    ordered = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
    assert rows(merger, folder / "rows") == (len(expected), ordered)
    assert merger.runs == []


def test_the_first_rows_are_enough_where_no_more_are_wanted(tmp_path):
    """The keys are counted all the same."""
    merger = Merger(Letters(), tmp_path)
    merger.add(payloads(tmp_path, ["abc", "bc", "c"]))
    merger.drain()
    assert rows(merger, tmp_path / "rows", top=2) == (3, [("c", 3), ("b", 2)])


@settings(max_examples=15)  # each looks at every bucket
@given(TEXTS)
def test_a_table_at_its_limit_is_dumped_as_a_run(tmp_path_factory, texts):
    """So memory stays bounded; runs and table together hold everything once."""
    folder = tmp_path_factory.mktemp("merger")
    merger = Merger(Letters(), folder)
    merger.add(payloads(folder, texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "LIMIT_KEYS", 3)
        while merger.busy:
            before = len(merger.runs)
            assert merger.step() == (len(merger.runs) > before)
    merger.dump()
    table = Letters().table()
    sizes = [0] * BUCKETS
    for path in merger.runs:
        for bucket in range(BUCKETS):
            for payload in Run(path).payloads(bucket, bucket + 1):
                sizes[bucket] += len(payload)
                table.merge(payload)
    assert merger.sizes == sizes
    assert dict(table.rows()) == Counter("".join(texts))
    assert merger.pairs >= len(table)


def test_a_table_makes_room_for_a_payload_that_would_not_fit_beside_it(tmp_path, monkeypatch):
    """The limit holds before the payload is merged, not only after."""
    merger = Merger(Letters(), tmp_path)
    first, second = payloads(tmp_path, ["ab", "cd"])
    merger.add([first])
    assert not merger.step()
    table = Letters().table()
    table.merge(first.read_bytes())
    monkeypatch.setattr(merging, "LIMIT_BYTES", table.nbytes + 1)
    merger.add([second])
    assert merger.step()
    assert merger.pairs == 2


def test_the_job_prepares_once_there_is_much_to_merge(tmp_path, monkeypatch):
    """Loading a kernel for a few pairs would cost more than it gains."""
    prepared = []

    class Preparing(Letters):
        def prepare(self):
            prepared.append(1)

    parts = list(payloads(tmp_path, ["ab", "cd", "ef", "gh"]))
    monkeypatch.setattr(merging, "LARGE", parts[0].stat().st_size + 1)
    merger = Merger(Preparing(), tmp_path)
    found = []
    for part in parts:
        merger.add([part])
        merger.step()
        found.append(len(prepared))
    assert found == [0, 1, 1, 1]


def test_what_was_dumped_is_reduced_here_where_no_task_does(tmp_path):
    """A resumed run merges in its own way, and may pass the limit where the first did not."""
    merger = Merger(Letters(), tmp_path)
    for text in ("ab", "bc"):
        merger.add(payloads(tmp_path, [text]))
        merger.drain()
        merger.dump()
    assert rows(merger, tmp_path / "rows") == (3, [("b", 2), ("a", 1), ("c", 1)])


def test_runs_of_another_process_have_other_names(tmp_path):
    """Tasks of a run that was killed must not read what a resumed one wrote."""
    names = set()
    for _ in range(2):
        merger = Merger(Letters(), tmp_path)
        merger.add(payloads(tmp_path, ["a"]))
        merger.drain()
        merger.dump()
        (run,) = merger.listing("http://h/{}".format)
        assert run == {
            "executor": None,
            "path": str(merger.runs[0]),
            "url": f"http://h/{merger.runs[0].name}",
        }
        names.add(run["url"])
    assert len(names) == 2


def test_a_job_that_fails_while_combining_is_the_jobs_fault(tmp_path):
    """The message says what the job raised."""
    merger = Merger(Bad(), tmp_path)
    merger.add(payloads(tmp_path, ["a", "a"]))
    with pytest.raises(JobFailedError, match="combining: ValueError: no"):
        merger.drain()


def test_who_asks_for_the_runs_too_early_waits_for_all_of_them():
    """A reducer that read a list too short would leave out words."""
    runs = RunList()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(runs.get)
        with pytest.raises(TimeoutError):
            asked.result(0.05)
        kept = {"executor": "mapreduce-1", "path": "a", "url": "http://a"}
        runs.publish([{**kept, "sizes": "large"}])
        assert asked.result(60) == [kept]
    runs.publish([])
    assert runs.get() == []


def test_who_asks_for_runs_that_do_not_become_known_is_not_answered(monkeypatch):
    """It asks again; an empty list would be wrong."""
    monkeypatch.setattr(merging, "LIST_TIMEOUT", 0.01)
    with pytest.raises(TimeoutError):
        RunList().get()


def test_sizes_add_up_by_bucket():
    """Those of the scheduler's runs and of the executors'."""
    assert add_sizes([1, 2], [[3, 4], [5, 6]]) == (9, 12)
    assert add_sizes([1, 2], []) == (1, 2)
