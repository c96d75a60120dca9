"""A journal gives back what was noted, however it ended."""

import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.core import events
from mapreduce.errors import ClusterError, UsageError
from mapreduce.scheduler import journal

OFFER = events.Offer(id="O1", agent_id="S1", hostname="h", address="h:5051", cpus=1.5, mem=1024.0)
EVENTS = [
    events.Registered(again=True),
    events.Disconnected(),
    events.Removed(),
    events.Offers(offers=(OFFER, OFFER)),
    events.Update(task_id="map-0-try-1", state="TASK_FAILED", message="ü\n", block_fault=True),
    events.ExecutorLost(executor_id="mapreduce-1"),
    events.AgentLost(agent_id="S1"),
    events.ResultLost(task_id="map-0-try-1"),
    events.LaunchFailed(task_ids=("a", "b")),
    events.Overflow(),
    events.Collected(sizes=(1, 2, 3), pairs=6),
    events.Tick(),
]
RECEIPT = {"parts": ["ab"], "runs": [], "timing": {"map": 0.5}}


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def written(folder, events_=EVENTS):
    log = journal.Journal(folder)
    log.begin({"port": 5})
    log.framework("F1")
    for number, event in enumerate(events_):
        log.event(float(number), event)
    log.framework("F2")
    log.close()


def test_every_kind_of_event_comes_back_as_it_was(folder):
    """The core takes them in again, in the same order at the same times."""
    assert {type(event) for event in EVENTS} == set(events.Event.__args__)
    written(folder)
    saved = journal.load(folder)
    assert saved.head["port"] == 5
    assert saved.framework == "F2"
    assert [entry.event for entry in saved.entries] == EVENTS
    assert [entry.at for entry in saved.entries] == [float(n) for n in range(len(EVENTS))]


def test_receipts_come_back_with_their_events(folder):
    """They say where results are."""
    log = journal.Journal(folder)
    log.begin({})
    log.event(1.0, EVENTS[4], receipt=RECEIPT, sync=True)
    assert journal.load(folder).entries == [journal.Entry(1.0, EVENTS[4], RECEIPT)]


@given(st.data())
def test_a_line_that_was_cut_short_is_as_if_it_had_not_been(tmp_path_factory, data):
    """kill -9 in the middle of a write; what is written later is not harmed by it."""
    folder = tmp_path_factory.mktemp("run")
    written(folder)
    path = folder / journal.NAME
    content = path.read_bytes()
    head = content.index(b"\n") + 1
    cut = data.draw(st.integers(head, len(content)))
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b'"event"') - (content[:cut].rpartition(b"\n")[2].count(b'"event"'))
    assert [entry.event for entry in journal.load(folder).entries] == EVENTS[:whole]
    log = journal.Journal(folder)
    log.event(99.0, events.Tick())
    assert journal.load(folder).entries[-1] == journal.Entry(99.0, events.Tick(), None)


def test_a_folder_without_a_journal_has_nothing_to_resume(folder):
    """Nor has one that was killed before it began, or one of another version."""
    assert journal.load(folder) is None
    (folder / journal.NAME).write_bytes(b'{"version"')
    assert journal.load(folder) is None
    (folder / journal.NAME).write_bytes(b'{"version":0}\n')
    assert journal.load(folder) is None


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path):
    """Two runs of the same job would mix their results."""
    held = journal.Folder(tmp_path / "a" / "run")
    with pytest.raises(UsageError, match="runs on the same inputs already"):
        journal.Folder(tmp_path / "a" / "run")
    held.close()
    journal.Folder(tmp_path / "a" / "run").remove()
    assert not (tmp_path / "a" / "run").exists()


def test_a_folder_of_a_process_that_was_killed_is_free(tmp_path):
    """That is what is to be resumed."""
    code = f"""
import os, signal
from pathlib import Path
from mapreduce.scheduler import journal
held = journal.Folder(Path({str(tmp_path / "run")!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], timeout=60)
    journal.Folder(tmp_path / "run").close()


def test_a_folder_is_its_owners_alone(tmp_path):
    """The journal holds the server's token."""
    journal.Folder(tmp_path / "run")
    assert stat.S_IMODE(os.stat(tmp_path / "run").st_mode) == 0o700


def test_what_an_earlier_run_left_is_cleared(tmp_path):
    """Without --resume a run begins with an empty folder."""
    held = journal.Folder(tmp_path)
    written(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "x").touch()
    held.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    """With the variable that sets another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ClusterError, match="XDG_STATE_HOME"):
        journal.Folder(journal.run_folder({"job": "wordcount"}))


def test_a_run_is_found_again_by_what_it_does():
    """The same job, arguments, inputs and master; a folder of its own for any other."""
    about = {"job": "a", "arguments": {"x": "1", "y": "2"}}
    assert journal.run_folder(about) == journal.run_folder(
        {"arguments": {"y": "2", "x": "1"}, "job": "a"}
    )
    assert journal.run_folder(about) != journal.run_folder({**about, "job": "b"})
