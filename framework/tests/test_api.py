"""Running from Python: what is prepared before anything runs; the cluster's part is elsewhere."""

import importlib.util
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from mapreduce import cli, errors
from mapreduce.client import api, output, progress
from mapreduce.exchange.results import write_rows
from mapreduce.inputs.inputs import Input
from mapreduce.job import Block, Job
from mapreduce.jobs.wordcount import WordCount
from mapreduce.scheduler.result import Result, Span
from mapreduce.scheduler.spec import RunSpec


class Lengths(Job):
    def __init__(self, least=1):
        self.least = least

    def map(self, block):
        return {len(word): 1 for word in block.split() if len(word) >= self.least}


def unpickled(file, expression, folder):
    """Return what a process says that knows nothing of this one's modules."""
    code = f"import pickle; job = pickle.load(open({str(file)!r}, 'rb')); print({expression})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("job", [Lengths, Lengths(3)])
def test_a_job_of_any_module_travels(tmp_path, job):
    """Its class goes with it, as agents cannot import it."""
    options = api.Options(arguments={"least": 3} if job is Lengths else {})
    with ExitStack() as temporary:
        name, made, file = api._job(job, options, temporary)
        assert (name, made.least) == ("job.pkl", 3)
        assert unpickled(file, "job.map(b'to be not')", tmp_path) == "{3: 1}"
    assert not file.exists()


def test_bases_in_other_modules_travel_too(tmp_path):
    """All that makes the job, but for what agents have."""
    (tmp_path / "basis.py").write_text("from mapreduce import Job\nclass Base(Job):\n  least = 7\n")
    (tmp_path / "derived.py").write_text("from basis import Base\nclass Derived(Base): pass\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from derived import Derived\n"
        "from mapreduce.client import api\n"
        "open(sys.argv[1] + '/job.pkl', 'wb').write(api._pickled(Derived(), []))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    (tmp_path / "elsewhere").mkdir()
    assert unpickled(tmp_path / "job.pkl", "job.least", tmp_path / "elsewhere") == "7"


def test_what_agents_have_is_sent_by_name():
    """A built-in job is a few bytes, which any version of Python reads."""
    assert len(api._pickled(WordCount(words="unicode"), [])) < 200


def test_what_a_package_holds_is_not_sent_again(tmp_path):
    """It is there under its name."""
    package = tmp_path / "shipped.zip"
    with __import__("zipfile").ZipFile(package, "w") as file:
        file.writestr("shipped_job.py", "from mapreduce import Job\nclass Shipped(Job): pass\n")
    sys.path.insert(0, str(package))
    try:
        from shipped_job import Shipped

        assert len(api._pickled(Shipped(), [package])) < 100
        assert len(api._pickled(Shipped(), [])) > 200
    finally:
        sys.path.remove(str(package))


class Locked(Job):
    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("job", "arguments", "message"),
    [
        (Lengths, {"leest": 3}, "The job 'Lengths' cannot be made: .*'leest'"),
        (Lengths(), {"least": 3}, "a class takes arguments"),
        (Locked, {}, "cannot be sent to the agents: cannot pickle '_thread.lock'"),
        (len, {}, "is no job: neither a name"),
        (dict, {}, "is no job: neither a name"),
        ("wordcuont", {}, "There is no job 'wordcuont'"),
        ("wordcount", {"words": "spaec"}, "words=spaec"),
    ],
)
def test_a_job_that_cannot_be_is_refused(tmp_path, job, arguments, message):
    """Before anything runs, and before the cluster is asked for."""
    with pytest.raises(errors.UsageError, match=message):
        api.run(job, tmp_path, master="127.0.0.1:1", arguments=arguments)


def test_settings_of_a_named_job_are_given_as_values(tmp_path):
    """Lists, truth and numbers are written as the command line would have them."""
    found = api._texts({"columns": ["a", "b"], "header": False, "least": 3, "words": "space"})
    assert found == {"columns": "a,b", "header": "False", "least": "3", "words": "space"}
    with ExitStack() as temporary:
        options = api.Options(arguments={"words": "unicode"})
        name, job, file = api._job("wordcount", options, temporary)
    assert (name, job.words, file) == ("wordcount", "unicode", None)


def test_folders_without_files_are_named(tmp_path, capsys):
    """One among others is worth a word; nothing at all to read is a mistake."""
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "text").write_text("text")
    names = [str(tmp_path / "empty"), str(tmp_path / "full")]
    known = api.storage.Storage()
    found = api._inputs(names, known, progress.Messages())
    assert [given.name for given in found] == [str(tmp_path / "full" / "text")]
    assert capsys.readouterr().err == f"There is no file in the folder '{tmp_path}/empty'.\n"
    with pytest.raises(errors.UsageError, match=r"no file is in '.*empty'"):
        api._inputs(names[:1], known, progress.Messages())
    with pytest.raises(errors.UsageError, match="no input is given"):
        api._inputs([], known, progress.Messages())


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (api.Options(), None),
        (api.Options(top=5), 5),
        (api.Options(top=5, output=Path("x.tsv")), None),
        (api.Options(top=5, plot=Path("x.png")), 20),
        (api.Options(top=50, plot=Path("x.png")), 50),
    ],
)
def test_no_more_rows_are_brought_back_than_are_wanted(options, wanted):
    """All for a file; for a picture, as many as it shows."""
    assert api._wanted(options) == wanted


def test_packages_of_the_same_name_are_refused(tmp_path):
    """Agents would have one of them only."""
    packages = [tmp_path / folder / "x.zip" for folder in "ab"]
    for package in packages:
        package.parent.mkdir()
        with zipfile.ZipFile(package, "w"):
            pass
    with pytest.raises(errors.UsageError, match="Two packages have the name"):
        api.run("wordcount", __file__, packages=packages, master="127.0.0.1:1")


def test_a_negative_number_of_rows_is_refused():
    """Before anything runs."""
    with pytest.raises(errors.UsageError, match="top=-1 is no number of rows"):
        api.run("wordcount", __file__, top=-1, master="127.0.0.1:1")


def isolated(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_importing_pymesos_takes_no_signal_and_writes_no_log():
    """In any thread, which PyMesos by itself does not bear."""
    isolated(
        "import logging, signal, threading\n"
        "from mapreduce.client import api\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "thread = threading.Thread(target=api.import_scheduler)\n"
        "thread.start(); thread.join()\n"
        "import pymesos\n"
        "assert signal.getsignal(signal.SIGINT) is before\n"
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN\n"
        "logging.getLogger('pymesos.process').error('unwanted')\n"
    )


ROWS = [("a", 2), ("b", 1)]


class Recorded:
    """A progress that keeps what it is told."""

    def __init__(self):
        self.told = []

    def show(self, status):
        self.told.append(status.phase)

    def say(self, text):
        self.told.append(text)

    def close(self):
        self.told.append("closed")


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """A function that makes a run which ends at once, and what becomes of its result."""
    ends = []

    def make(**options):
        rows = tmp_path / "rows"
        write_rows(rows, ROWS)
        result = Result(job=Job(), keys=2, files=[rows], limit=None)
        monkeypatch.setattr(Result, "close", lambda self: ends.append("closed"))
        monkeypatch.setattr(Result, "keep", lambda self: ends.append("kept"))
        scheduler = api.import_scheduler()
        monkeypatch.setattr(scheduler, "run", lambda spec, place, progress: result)
        spec = RunSpec(name="test", job=Job(), inputs=[])
        cleanup, shown = ExitStack(), Recorded()
        cleanup.callback(shown.close)
        return api.Prepared(
            spec=spec, place=None, options=api.Options(**options), progress=shown, cleanup=cleanup
        ), ends

    return make


def test_the_result_is_written_and_stays_open(prepared, tmp_path):
    """It is the caller's to close."""
    run, ends = prepared(output=tmp_path / "x.tsv")
    result = run.run()
    assert (tmp_path / "x.tsv").read_text() == "a\t2\nb\t1\n"
    assert run.progress.told == ["output", "closed"]
    assert ends == []
    assert result.phases["output"] >= 0


@pytest.mark.parametrize(("sizes", "size"), [([5, 7], 12), ([5, None], 30), ([], 0)])
def test_inputs_that_do_not_tell_their_size_are_as_large_as_what_was_read(prepared, sizes, size):
    """Zero bytes would be wrong."""
    run, _ = prepared()
    run.spec.inputs[:] = [Input(name="x", size=given) for given in sizes]
    done = Span(kind="map", agent="a", worker=1, began=0, ended=1, bytes=30)
    assert run.size(Result(job=Job(), keys=0, files=[], limit=None, timeline=[done])) == size


def test_rows_beyond_those_wanted_are_not_given(prepared, tmp_path):
    """Though the picture shows more."""
    run, _ = prepared(top=1)
    assert list(run.run().rows()) == ROWS[:1]


def test_a_result_that_cannot_be_written_is_kept_for_a_resume(prepared, tmp_path):
    """A full disk must not cost the work of hours."""
    (tmp_path / "x.tsv").mkdir()
    run, ends = prepared(output=tmp_path / "x.tsv")
    with pytest.raises(output.OutputError, match="--resume writes it without running the job"):
        run.run()
    assert ends == ["kept"]
    assert run.progress.told[-1] == "closed"


def test_an_interrupt_while_writing_leaves_nothing(prepared, tmp_path, monkeypatch):
    """Neither a file nor the run's own."""

    def interrupted(path, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(output, "write", interrupted)
    run, ends = prepared(output=tmp_path / "x.tsv")
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert ends == ["closed"]


def test_a_second_signal_does_not_break_the_teardown():
    """The first one is on its way through the code that clears up."""
    ended = False
    with pytest.raises(cli.Interrupted) as caught:
        try:
            cli._interrupt(2, None)
        finally:
            try:
                raise OSError("something fails while clearing up")
            except OSError:
                cli._interrupt(15, None)
            ended = True
    assert ended
    assert caught.value.args == (2,)
    with pytest.raises(cli.Interrupted):
        cli._interrupt(15, None)


def test_jobs_files_import_what_they_need():
    """The names that every job's file begins with."""
    spec = importlib.util.find_spec("mapreduce")
    assert spec is not None
    import mapreduce

    assert (mapreduce.Job, mapreduce.Block) == (Job, Block)
    assert mapreduce.run is api.run
    assert mapreduce.Result is Result
    assert os.path.basename(spec.origin or "") == "__init__.py"
