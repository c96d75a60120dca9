"""A worker maps and reduces what it is given and brings it to the scheduler, or says why not."""

import http.client
import marshal
import time
from collections import Counter
from pathlib import Path

import pytest

from mapreduce.exchange import results, transfer
from mapreduce.exchange.results import Store, read_rows
from mapreduce.exchange.runs import Run, decode_sizes
from mapreduce.exchange.server import Content, Server
from mapreduce.executor import mapping, worker
from mapreduce.executor.readahead import Budget, Feed
from mapreduce.executor.tasks import Outcome, Setup, Task
from mapreduce.inputs.inputs import find
from mapreduce.job import Job
from mapreduce.jobs.wordcount import WordCount
from mapreduce.tables import BUCKETS

A = b"to be or not to be " * 1000
B = b"that is\xff the question\n"


class Plain(WordCount):
    """Counts in a table whose payloads can be read here."""

    table = Job.table


@pytest.fixture
def scheduler(tmp_path):
    """The scheduler's server, which serves two files."""
    for name, content in (("a.txt", A), ("b.txt", B)):
        (tmp_path / name).write_bytes(content)
    for name in ("spool", "sandbox"):
        (tmp_path / name).mkdir()
    content = Content(
        inputs=find([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]),
        store=Store(tmp_path / "spool"),
        runs=tmp_path / "sandbox",
    )
    server = Server("127.0.0.1", "127.0.0.1", content)
    yield server
    server.close()


def setup(scheduler, job=None, table_bytes=1 << 20, patience=30.0):
    assert scheduler.content.runs is not None
    return Setup(
        job=job or Plain(),
        server=scheduler.url,
        folder=scheduler.content.runs,
        served=f"{scheduler.url}/runs",
        table_bytes=table_bytes,
        patience=patience,
    )


def pieces(number, size, step):
    return [[number, start, min(start + step, size)] for start in range(0, size, step)]


def map_task(scheduler, *ranges, seen_here=True, keep=False, name="b0-1"):
    references = {}
    for number, given in enumerate(scheduler.content.inputs):
        references[str(number)] = given.reference(scheduler.input_url(number))
        if not seen_here:
            references[str(number)]["path"] = "/nonexistent"
    data = {"map": {"sources": references, "ranges": list(ranges)}, "keep": keep}
    return Task(name, data, time.monotonic())


def reduce_task(scheduler, kept, start=0, stop=BUCKETS, top=None, executor="e1"):
    listed = [{"executor": executor, **run} for run in kept]
    scheduler.content.run_list = lambda: listed
    reduce = {"buckets": [start, stop], "runs": scheduler.run_list_url}
    return Task("r0-1", {"reduce": reduce, "top": top}, time.monotonic())


def perform(about: Setup, task: Task) -> Outcome:
    feed: Feed[bytes] = Feed(Budget(1 << 30))
    feed.fill(worker._items(about, task))
    with feed:
        return worker.perform(about, task, feed)


def sent(scheduler, outcome, task_id="b0-1") -> list[Path]:
    assert outcome.error == ""
    assert scheduler.content.store.intact(task_id, outcome.receipt["parts"])
    return scheduler.content.store.paths(task_id, outcome.receipt["parts"])


def counts(scheduler, outcome):
    totals = Counter()
    for path in sent(scheduler, outcome):
        totals.update(marshal.loads(path.read_bytes()))
    return totals


@pytest.mark.parametrize("seen_here", [True, False])
def test_a_block_of_several_ranges_is_counted(scheduler, seen_here):
    """Of files that the agent sees or of files that the scheduler serves."""
    task = map_task(scheduler, [0, 0, len(A)], [1, 0, len(B)], seen_here=seen_here)
    outcome = perform(setup(scheduler), task)
    assert counts(scheduler, outcome) == Counter(A.split()) + Counter(B.split())
    assert len(outcome.receipt["parts"]) == 1
    assert outcome.receipt["pairs"] == len({*A.split(), *B.split()})


def test_a_table_that_grows_large_goes_out_on_the_way(scheduler):
    """A worker never holds more than a bound, however many keys there are."""
    task = map_task(scheduler, *pieces(0, len(A), 100))
    outcome = perform(setup(scheduler, table_bytes=0), task)
    assert len(outcome.receipt["parts"]) > 100
    assert counts(scheduler, outcome) == Counter(A.split())


def test_parts_are_no_larger_than_the_scheduler_can_take(scheduler, monkeypatch):
    """Which has less memory to spare than a worker; what is kept may be larger."""
    monkeypatch.setattr(mapping, "LARGEST_PART", 0)
    ranges = pieces(0, len(A), 1000)
    parts = perform(setup(scheduler), map_task(scheduler, *ranges)).receipt["parts"]
    kept = perform(setup(scheduler), map_task(scheduler, *ranges, keep=True)).receipt["runs"]
    assert len(parts) > len(kept) == 1


def test_a_range_without_records_has_an_empty_result(scheduler):
    """Nothing to send is a result, too."""
    outcome = perform(setup(scheduler), map_task(scheduler, [0, 1, 2]))
    assert outcome.receipt["parts"] == outcome.receipt["runs"] == []
    assert outcome.receipt["pairs"] == 0


def test_a_receipt_says_where_the_time_went(scheduler):
    """In seconds, from when the executor had the task."""
    timing = perform(setup(scheduler), map_task(scheduler, [0, 0, len(A)])).receipt["timing"]
    assert set(timing) == {
        *("start", "input", "map", "cpu", "send", "shuffle", "reduce"),
        *("bytes", "pid"),
    }
    assert timing["bytes"] == len(A)
    assert timing["map"] > 0
    assert timing["cpu"] > 0
    assert timing["send"] > 0 and timing["start"] > 0
    assert timing["shuffle"] == timing["reduce"] == 0


# Runs and reducing


def kept_runs(scheduler, job=None):
    """Map both inputs into runs, several of each."""
    found = []
    for number, text, name in ((0, A, "b0-1"), (1, B, "b1-1")):
        task = map_task(scheduler, *pieces(number, len(text), 5000), keep=True, name=name)
        outcome = perform(setup(scheduler, job, table_bytes=0), task)
        assert outcome.error == ""
        assert outcome.receipt["parts"] == []
        found += outcome.receipt["runs"]
    return found


def test_kept_tables_stay_as_runs_by_bucket(scheduler):
    """The receipt tells where they are and how large each bucket is."""
    kept = kept_runs(scheduler)
    assert len(kept) > 2
    assert len({run["name"] for run in kept}) == len(kept)
    totals = Counter()
    for run in kept:
        local = list(Run(run["path"]).payloads(0, BUCKETS))
        assert list(Run(run["url"]).payloads(0, BUCKETS)) == local
        assert [len(payload) for payload in local] == list(filter(None, decode_sizes(run["sizes"])))
        for payload in local:
            totals.update(marshal.loads(payload))
    assert totals == Counter(A.split()) + Counter(B.split())


@pytest.mark.parametrize("here", [True, False])
def test_reducers_together_have_every_key_once(scheduler, here):
    """Each has its buckets of all runs, from the file or from the server that has it; sorted."""
    kept = kept_runs(scheduler)
    if not here:
        kept = [{**run, "path": "/nonexistent"} for run in kept]
    found = []
    for start, stop in ((0, 100), (100, 101), (101, BUCKETS)):
        outcome = perform(setup(scheduler), reduce_task(scheduler, kept, start, stop))
        (path,) = sent(scheduler, outcome, "r0-1")
        rows = list(read_rows(path))
        assert rows == sorted(rows, key=Plain().order)
        assert outcome.receipt["keys"] == len(rows)
        found += rows
    expected = Counter((A + B).decode("utf-8", "surrogateescape").split())
    assert dict(found) == expected
    assert len(found) == len(expected)


def test_only_the_first_rows_travel_where_no_more_are_wanted(scheduler):
    """With the number of all keys."""
    task = reduce_task(scheduler, kept_runs(scheduler), top=2)
    outcome = perform(setup(scheduler), task)
    (path,) = sent(scheduler, outcome, "r0-1")
    assert list(read_rows(path)) == [("be", 2000), ("to", 2000)]
    assert outcome.receipt["keys"] == len({*A.split(), *B.split()})


def test_more_rows_than_fit_are_sorted_by_files(tmp_path, monkeypatch):
    """Of which nothing stays where they were."""
    monkeypatch.setattr(results, "SORTED_ROWS", 10)
    rows = [(f"{n * 7919 % 1000:03}", n) for n in range(95)]
    found = results.sorted_rows(iter(rows), lambda row: row[0], tmp_path)
    assert list(found) == sorted(rows)
    assert len(list(tmp_path.iterdir())) == 10


def test_a_worker_leaves_nothing_of_a_reduce_task_behind(scheduler):
    """What it sorted is the scheduler's now."""
    kept = kept_runs(scheduler)
    before = set(scheduler.content.runs.iterdir())
    assert perform(setup(scheduler), reduce_task(scheduler, kept)).error == ""
    assert set(scheduler.content.runs.iterdir()) == before


def test_the_executor_of_a_run_that_is_lost_is_named(scheduler):
    """Its blocks have to be mapped again."""
    kept = kept_runs(scheduler)
    Path(kept[0]["path"]).unlink()
    outcome = perform(setup(scheduler), reduce_task(scheduler, kept))
    assert outcome.fault == {"unreachable": "e1"}
    assert kept[0]["name"] in outcome.error


def test_a_run_of_the_schedulers_that_cannot_be_read_is_no_executors_fault(scheduler):
    """The scheduler does not lose its own; another attempt may succeed."""
    kept = kept_runs(scheduler)
    Path(kept[0]["path"]).unlink()
    outcome = perform(setup(scheduler), reduce_task(scheduler, kept, executor=None))
    assert outcome.fault == {}
    assert kept[0]["name"] in outcome.error


# Jobs and inputs that fail


class Picky(Plain):
    def map(self, block):
        raise ValueError("cannot parse 'x'")


class Quitting(Plain):
    def map(self, block):
        raise SystemExit("enough")


class Hungry(Plain):
    def map(self, block):
        raise MemoryError


class Opaque(Plain):
    def map(self, block):
        return {"key": object()}


class Disagreeing(Plain):
    def combine(self, left, right):
        raise RuntimeError(f"{left} and {right} do not go together")


class Irreducible(Plain):
    def reduce(self, key, value):
        raise KeyError(key)


class Unordered(Plain):
    def order(self, row):
        return row[1] + "x"


class Strange(Plain):
    def reduce(self, key, value):
        return "key", object()


@pytest.mark.parametrize("job", [Picky(), Quitting()])
def test_a_job_that_raises_is_reported_with_input_offset_and_line(scheduler, job, capfd):
    """The author finds the place without a debugger; the sandbox has the whole story."""
    outcome = perform(setup(scheduler, job), map_task(scheduler, [1, 0, len(B)]))
    assert "b.txt" in outcome.error
    assert "begins at byte 0" in outcome.error
    assert "ValueError: cannot parse 'x'" in outcome.error or "SystemExit: enough" in outcome.error
    assert "test_worker.py:" in outcome.error
    assert "mapping.py" not in outcome.error
    assert outcome.fault == {"block_fault": True}
    assert "Traceback" in capfd.readouterr().err


def test_an_error_is_no_longer_than_a_status_should_be(scheduler):
    """Jobs may put what they failed on into it."""

    class Verbose(Plain):
        def map(self, block):
            raise ValueError(block * 10)

    outcome = perform(setup(scheduler, Verbose()), map_task(scheduler, [0, 0, len(A)]))
    assert 1000 < len(outcome.error) < 3000


def test_the_piece_on_which_a_job_fails_is_named(scheduler):
    """By where in the input it begins."""

    class Late(Plain):
        def map(self, block):
            if block.offset > 10_000:
                raise ValueError
            return {}

    task = map_task(scheduler, *pieces(0, len(A), 1000))
    outcome = perform(setup(scheduler, Late()), task)
    assert "begins at byte 11001" in outcome.error


def test_memory_that_runs_out_is_said(scheduler):
    """Rather than a trace that only its author could read."""
    outcome = perform(setup(scheduler, Hungry()), map_task(scheduler, [1, 0, len(B)]))
    assert "out of memory" in outcome.error
    assert outcome.fault == {"block_fault": True}


def test_pairs_that_cannot_travel_are_reported(scheduler):
    """The message says what can."""
    outcome = perform(setup(scheduler, Opaque()), map_task(scheduler, [1, 0, len(B)]))
    assert "plain data" in outcome.error
    assert outcome.fault == {"block_fault": True}


@pytest.mark.parametrize("job", [Disagreeing(), Irreducible(), Unordered(), Strange()])
def test_a_job_that_fails_in_a_reducer_is_reported(scheduler, job):
    """With what it was about."""
    kept = kept_runs(scheduler)
    outcome = perform(setup(scheduler, job), reduce_task(scheduler, kept))
    assert outcome.fault == {"block_fault": True}
    assert "the job failed" in outcome.error or "plain data" in outcome.error


def test_an_input_that_is_gone_is_named(scheduler):
    """It would fail everywhere."""
    task = map_task(scheduler, [0, 0, len(A)])
    Path(scheduler.content.inputs[0].path).unlink()
    outcome = perform(setup(scheduler), task)
    assert "a.txt" in outcome.error
    assert outcome.fault == {"block_fault": True}


# Servers that fail


def test_a_scheduler_that_stays_away_is_named(scheduler):
    """With the option that helps; a block is not to blame."""
    scheduler.close()
    outcome = perform(setup(scheduler, patience=0.5), map_task(scheduler, [1, 0, len(B)]))
    assert f"127.0.0.1:{scheduler.port} cannot be reached" in outcome.error
    assert "--advertise" in outcome.error
    assert outcome.fault == {}


def test_a_scheduler_that_comes_back_gets_the_result(scheduler, monkeypatch):
    """It was killed and resumed at its old address while a worker had something to send."""
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0.01)
    back = []

    def sleep(seconds):
        if not back:
            content, port, token = scheduler.content, scheduler.port, scheduler.token
            back.append(Server("127.0.0.1", "127.0.0.1", content, port=port, token=token))

    monkeypatch.setattr(transfer.time, "sleep", sleep)
    scheduler.close()
    outcome = perform(setup(scheduler), map_task(scheduler, [1, 0, len(B)]))
    assert counts(scheduler, outcome) == Counter(B.split())
    back[0].close()


def test_a_connection_that_breaks_once_costs_nothing(scheduler, monkeypatch):
    """A result is sent again."""
    send = http.client.HTTPConnection.request
    broken = iter([ConnectionResetError("by peer")])

    def request(connection, method, *args, **kwargs):
        if method == "PUT" and (error := next(broken, None)):
            raise error
        return send(connection, method, *args, **kwargs)

    monkeypatch.setattr(http.client.HTTPConnection, "request", request)
    outcome = perform(setup(scheduler), map_task(scheduler, [1, 0, len(B)]))
    assert counts(scheduler, outcome)[b"the"] == 1
    assert next(broken, None) is None


def test_a_scheduler_without_room_for_results_says_so(scheduler, monkeypatch):
    """A full disk there must not look like a network's fault."""

    def put(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scheduler.content.store, "put", put)
    outcome = perform(setup(scheduler), map_task(scheduler, [1, 0, len(B)]))
    assert "HTTP 507 Insufficient Storage: No space left on device" in outcome.error


def test_a_sandbox_without_room_for_runs_says_so(scheduler, monkeypatch):
    """And the worker lives on."""

    def write_run(path, payloads):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(mapping.runs, "write_run", write_run)
    outcome = perform(setup(scheduler), map_task(scheduler, [1, 0, len(B)], keep=True))
    assert "No space left on device" in outcome.error
    assert outcome.fault == {}
