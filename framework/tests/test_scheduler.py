"""What is prepared for a run, and when an earlier one can be resumed."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from mapreduce.errors import UsageError
from mapreduce.inputs import inputs
from mapreduce.inputs.inputs import Input
from mapreduce.job import load
from mapreduce.scheduler import journal
from mapreduce.scheduler.spec import RunSpec

handler = signal.getsignal(signal.SIGINT)
from mapreduce.scheduler import scheduler  # noqa: E402 PyMesos takes SIGINT when imported

signal.signal(signal.SIGINT, handler)


class Said:
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture
def spec(tmp_path):
    for name in ("a.txt", "b.txt", "job.py", "more.zip"):
        (tmp_path / name).write_text(name)
    return RunSpec(
        name="wordcount",
        job=load("wordcount"),
        inputs=inputs.find([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]),
        job_file=tmp_path / "job.py",
        packages=[tmp_path / "more.zip"],
    )


@pytest.fixture
def folder(tmp_path):
    held = journal.Folder(tmp_path / "run")
    yield held
    held.close()


def begun(folder, spec):
    log = journal.Journal(folder.path)
    log.begin({"content": spec.content()})
    log.close()


def resumed(spec, **changes):
    return dataclasses.replace(spec, resume=True, **changes)


def test_a_run_is_resumed_where_nothing_has_changed(spec, folder):
    """With what its journal holds."""
    begun(folder, spec)
    said = Said()
    assert scheduler._saved(resumed(spec), folder, said).entries == []
    assert said.lines == []


def test_without_resume_an_earlier_run_is_given_up_and_the_user_told(spec, folder):
    """Its results are not mixed with those of the new one."""
    begun(folder, spec)
    said = Said()
    assert scheduler._saved(spec, folder, said) is None
    assert "cut off" in said.lines[0]
    assert list(folder.path.iterdir()) == []


def test_a_run_that_is_not_there_begins_anew(spec, folder):
    """A script may always ask for --resume."""
    said = Said()
    assert scheduler._saved(resumed(spec), folder, said) is None
    assert "nothing to resume" in said.lines[0]


@pytest.mark.parametrize("name", ["b.txt", "job.py", "more.zip"])
def test_what_has_changed_since_is_named(spec, folder, name):
    """Half of one text and half of another would be no result."""
    begun(folder, spec)
    changed = Path(spec.inputs[1].path).parent / name
    changed.write_text("other")
    os.utime(changed, ns=(1, 1))
    again = inputs.find([given.path for given in spec.inputs])
    with pytest.raises(UsageError, match=f"{name}' has changed since") as error:
        scheduler._saved(resumed(spec, inputs=again), folder, Said())
    assert "without --resume" in str(error.value)
    assert (folder.path / journal.NAME).exists()


def test_other_options_are_no_run_to_resume(spec, folder):
    """The first ten rows of each partition are not all of them."""
    begun(folder, spec)
    with pytest.raises(UsageError, match="other inputs or options"):
        scheduler._saved(resumed(spec, top=10), folder, Said())


def test_secrets_in_an_inputs_url_are_not_in_the_journal(spec):
    """Its name is fit to be shown, its URL may not be."""
    secret = Input(name="http://h/x", size=1, url="http://user:hunter2@h/x")
    content = dataclasses.replace(spec, inputs=[secret]).content()
    assert "hunter2" not in repr(content)
    other = dataclasses.replace(secret, url="http://user:other@h/y")
    assert dataclasses.replace(spec, inputs=[other]).content() != content


def test_a_run_is_that_of_its_job_arguments_inputs_and_master(spec):
    """Only the same run can go on with what another left."""
    same = spec.identity("h:5050")
    assert same == spec.identity("h:5050")
    others = [
        spec.identity("h:5051"),
        dataclasses.replace(spec, name="grep").identity("h:5050"),
        dataclasses.replace(spec, arguments={"x": "1"}).identity("h:5050"),
        dataclasses.replace(spec, inputs=spec.inputs[:1]).identity("h:5050"),
    ]
    assert same not in others


def test_files_travel_under_the_names_that_agents_know(spec, tmp_path):
    """The job's own file under one name, whatever it is called here."""
    (tmp_path / "mine.py").touch()
    shipped = dataclasses.replace(spec, job_file=tmp_path / "mine.py").shipped()
    assert shipped == {"job.py": tmp_path / "mine.py", "more.zip": tmp_path / "more.zip"}
    assert dataclasses.replace(spec, job_file=None, packages=[]).shipped() == {}
