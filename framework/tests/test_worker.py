"""A worker maps its ranges and brings the result to the scheduler, or says why it cannot."""

from collections import Counter

import pytest

from mapreduce import results, worker
from mapreduce.inputs import find
from mapreduce.job import Job
from mapreduce.jobs.wordcount import WordCount
from mapreduce.results import Store
from mapreduce.server import Server


@pytest.fixture
def scheduler(tmp_path):
    """The scheduler's server, which serves two files."""
    (tmp_path / "a.txt").write_bytes(b"to be or not to be " * 1000)
    (tmp_path / "b.txt").write_bytes(b"that is\xff the question\n")
    (tmp_path / "spool").mkdir()
    found = find([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    server = Server("127.0.0.1", "127.0.0.1", found, Store(tmp_path / "spool"), None)
    yield server
    server.close()


def task(scheduler, *ranges, seen_here=False):
    references = {}
    for number, given in enumerate(scheduler.inputs):
        references[str(number)] = given.reference(scheduler.input_url(number))
        if not seen_here:
            references[str(number)]["path"] = "/nonexistent"
    return {"sources": references, "ranges": list(ranges)}


def counts(scheduler, outcome):
    assert outcome.error == ""
    assert scheduler.store.intact("b0-1", outcome.parts)
    totals = Counter()
    for pairs in scheduler.store.take("b0-1", outcome.parts):
        totals.update(pairs)
    return totals


@pytest.mark.parametrize("seen_here", [True, False])
def test_a_block_of_several_ranges_is_counted(scheduler, seen_here):
    """Of files that the agent sees or of files that the scheduler serves."""
    data = task(scheduler, [0, 0, 19_000], [1, 0, 22], seen_here=seen_here)
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", data)
    assert counts(scheduler, outcome) == Counter(
        b"to be or not to be ".split() * 1000 + b"that is\xff the question".split()
    )


def test_many_pairs_go_in_parts(scheduler, monkeypatch):
    """A worker never holds more than a bound, however many keys there are."""
    monkeypatch.setattr(results, "PAIRS_PER_PART", 2)
    monkeypatch.setattr(worker.splits.records, "__defaults__", (100,))
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", task(scheduler, [0, 0, 19_000]))
    assert len(outcome.parts) > 100
    assert counts(scheduler, outcome)[b"be"] == 2000


def test_a_range_without_records_has_an_empty_result(scheduler):
    """Nothing to send is a result, too."""
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", task(scheduler, [0, 1, 2]))
    assert outcome == worker.Outcome()


class Picky(Job):
    def map(self, block):
        raise ValueError("cannot parse 'x'")


class Opaque(Job):
    def map(self, block):
        return {"key": object()}


def test_a_job_that_raises_is_reported_with_input_and_line(scheduler):
    """The author finds the place without a debugger."""
    outcome = worker.run(Picky(), scheduler.url, "b0-1", task(scheduler, [1, 0, 22]))
    assert "b.txt" in outcome.error
    assert "ValueError: cannot parse 'x'" in outcome.error
    assert "test_worker.py:" in outcome.error


def test_pairs_that_cannot_travel_are_reported(scheduler):
    """The message says what can."""
    outcome = worker.run(Opaque(), scheduler.url, "b0-1", task(scheduler, [1, 0, 22]))
    assert "plain data" in outcome.error


def test_a_scheduler_that_cannot_be_reached_is_named(scheduler, monkeypatch):
    """With the option that helps; after a few attempts."""
    slept = []
    monkeypatch.setattr(worker.time, "sleep", slept.append)
    data = task(scheduler, [1, 0, 22], seen_here=True)
    scheduler.close()
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", data)
    assert "127.0.0.1:" in outcome.error
    assert "--advertise" in outcome.error
    assert len(slept) == worker.UPLOAD_ATTEMPTS - 1


def test_a_connection_that_breaks_once_costs_nothing(scheduler, monkeypatch):
    """A result is sent again, after a pause."""
    slept = []
    monkeypatch.setattr(worker.time, "sleep", slept.append)
    send = worker.http.client.HTTPConnection.request
    broken = iter([ConnectionResetError("by peer")])

    def request(connection, method, *args, **kwargs):
        if method == "PUT" and (error := next(broken, None)):
            raise error
        return send(connection, method, *args, **kwargs)

    monkeypatch.setattr(worker.http.client.HTTPConnection, "request", request)
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", task(scheduler, [1, 0, 22]))
    assert counts(scheduler, outcome)[b"the"] == 1
    assert len(slept) == 1


def test_a_scheduler_without_room_for_results_says_so(scheduler, monkeypatch):
    """A full disk there must not look like a network's fault."""
    monkeypatch.setattr(worker.time, "sleep", lambda seconds: None)

    def put(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scheduler.store, "put", put)
    outcome = worker.run(WordCount(), scheduler.url, "b0-1", task(scheduler, [1, 0, 22]))
    assert "HTTP 507 Insufficient Storage: No space left on device" in outcome.error


def test_a_server_within_reach_is_reached(scheduler):
    """The first contact leaves nothing behind."""
    worker.reach(scheduler.url)


def test_a_server_out_of_reach_is_noticed_before_any_work(scheduler):
    """With its address and the option that helps."""
    scheduler.close()
    with pytest.raises(worker.UploadError, match=r"127\.0\.0\.1:\d+: .*refused.*--advertise"):
        worker.reach(scheduler.url)
