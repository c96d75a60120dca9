"""Jobs are found by name, and a wrong name says what is right."""

import inspect
import marshal
import re
import sys
import textwrap
import zipfile
from importlib.machinery import PathFinder

import cloudpickle
import pytest

from mapreduce.errors import JobFailedError, UsageError
from mapreduce.job import Block, Job, failures, load, text
from mapreduce.jobs.wordcount import WordCount

FILE = """
from mapreduce import Job

class Longest(Job):
    def map(self, block):
        return {b"longest": max(map(len, block.split()), default=0)}
    def combine(self, left, right):
        return max(left, right)

ready = Longest()
number = 7
"""


def test_built_in_jobs_are_found_by_their_name():
    """`wordcount` needs no path."""
    assert isinstance(load("wordcount"), WordCount)


@pytest.mark.parametrize("name", ["Longest", "ready"])
def test_a_job_in_a_file_is_a_class_or_an_instance(tmp_path, name):
    """Both forms that people write are taken."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    table = load(f"{path}:{name}").table()
    for block in (b"to be\n", b"or not\n"):
        table.map(Block(block))
    assert list(table.rows()) == [("longest", 3)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("worldcount", "Is 'wordcount' meant[?] Built in: distinct, grep, .*wordcount"),
        ("nonsense", "job 'nonsense'[.] Built in"),
        ("mine.py", "path/to/file.py:name"),
        ("{dir}/none.py:Longest", "No such file"),
        ("{dir}/mine.py:number", "not a mapreduce.Job"),
        ("{dir}/mine.py:absent", "not a mapreduce.Job"),
        ("{dir}/broken.py:x", "SyntaxError"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(tmp_path, name, message):
    """The message carries what the user needs to do next."""
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(UsageError, match=message):
        load(name.format(dir=tmp_path))


def test_rows_are_sorted_by_key_unless_a_job_says_otherwise():
    """The default order is by the key's text."""
    rows = sorted([("b", 1), ("a", 2)], key=Job().order)
    assert rows == [("a", 2), ("b", 1)]


def test_word_counts_come_highest_first_then_by_word():
    """The order that the result's files promise."""
    rows = sorted([("b", 1), ("c", 2), ("a", 1)], key=WordCount().order)
    assert rows == [("c", 2), ("a", 1), ("b", 1)]


def test_bytes_keys_become_text_without_loss():
    """Invalid UTF-8 comes back as the same bytes."""
    assert text(b"\xff\xc3\xbc").encode("utf-8", "surrogateescape") == b"\xff\xc3\xbc"
    assert text(7) == "7"


def test_a_block_is_bytes_that_know_where_they_come_from():
    """Jobs work on it as on bytes; errors and rows can name the place."""
    block = Block(b"to be", "book.txt", 7)
    assert (block, block.input, block.offset) == (b"to be", "book.txt", 7)
    assert (Block(b"x").input, Block(b"x").offset) == ("", 0)


def test_the_example_in_the_documentation_runs(tmp_path):
    """People start from it."""
    lines = inspect.getdoc(Job).splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("    from dataclasses"))
    end = next(n for n, line in enumerate(lines) if line.startswith("Only `map`"))
    path = tmp_path / "longest.py"
    path.write_text(textwrap.dedent("\n".join(lines[begin:end])))
    table = load(f"{path}:Longest", {"least": "3"}).table()
    table.map(Block(b"to be or not to nibble\n"))
    assert list(table.rows()) == [("n", "nibble (6)")]


def zipped(path, **modules):
    with zipfile.ZipFile(path, "w") as archive:
        for name, source in modules.items():
            archive.writestr(f"{name}.py", source)
    return path


@pytest.fixture
def modules_restored():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.usefixtures("modules_restored")
def test_what_a_job_raises_names_its_own_lines_once(tmp_path):
    """Not this package's, nor the path, which on agents is longer than all else."""
    lines = "class Deep(Job):\n def reduce(self, key, value):\n  return self.reduce(key, value)\n"
    (tmp_path / "deep.py").write_text(f"from mapreduce import Job\n{lines}")
    job = load(f"{tmp_path / 'deep.py'}:Deep")
    table = job.table()
    table.merge(marshal.dumps({"a": [1]}))
    with pytest.raises(JobFailedError) as caught, failures("reducing"):
        list(table.rows())
    said = str(caught.value)
    assert re.fullmatch("The job failed reducing: RecursionError: .* at deep.py:4", said)


@pytest.mark.usefixtures("modules_restored")
def test_packages_are_found_by_the_jobs_file(tmp_path):
    """The first that is named wins, and all go ahead of what is installed."""
    first = zipped(tmp_path / "first.zip", lab_words="LIMIT = 1", kazoo="LIMIT = 5")
    second = zipped(tmp_path / "second-1-py3-none-any.whl", lab_words="LIMIT = 2", lab_more="N = 3")
    path = tmp_path / "mine.py"
    path.write_text(
        "import lab_words, lab_more\nfrom mapreduce import Job\n"
        "class Mine(Job):\n    limits = lab_words.LIMIT, lab_more.N\n"
    )
    assert load(f"{path}:Mine", packages=[first, second]).limits == (1, 3)
    # Not what this process has imported: what it would find now.
    assert PathFinder.find_spec("kazoo").origin.startswith(str(first))


@pytest.mark.usefixtures("modules_restored")
def test_a_package_that_is_none_is_refused(tmp_path):
    """With its name."""
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(UsageError, match=r"text\.zip' is no zip or wheel"):
        load("wordcount", packages=[tmp_path / "text.zip"])
    with pytest.raises(UsageError, match="does not exist"):
        load("wordcount", packages=[tmp_path / "none.zip"])


class Pickled(Job):
    limit = 3


def test_a_pickled_job_comes_back(tmp_path):
    """As the Python API sends it, also where its class is of no module that agents have."""
    path = tmp_path / "job.pkl"
    path.write_bytes(cloudpickle.dumps(Pickled()))
    assert isinstance(load(str(path)), Pickled)

    class Local(Job):
        limit = 4

    path.write_bytes(cloudpickle.dumps(Local()))
    assert load(str(path)).limit == 4


@pytest.mark.parametrize(
    ("content", "message"), [(b"nonsense", "UnpicklingError"), (cloudpickle.dumps(7), "not a map")]
)
def test_a_pickle_that_is_no_job_is_refused(tmp_path, content, message):
    """With the reason."""
    path = tmp_path / "job.pkl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load(str(path))


SETTINGS = """
from dataclasses import dataclass, field
from typing import Literal
from mapreduce import Job

@dataclass
class Typed(Job):
    text: str
    number: int = 1
    share: float | None = None
    quick: bool = False
    words: Literal["space", "unicode"] = "space"
    names: list[str] = field(default_factory=list)
    limits: tuple[int, ...] = ()

    def __post_init__(self):
        if self.number < 0:
            raise ValueError("number is below 0")

class Plain(Job):
    def __init__(self, *, size: int, anything=None, **more):
        self.size, self.anything = size, anything

ready = Plain(size=1)
"""


@pytest.fixture
def typed(tmp_path):
    (tmp_path / "mine.py").write_text(SETTINGS)
    return f"{tmp_path}/mine.py"


def test_settings_are_converted_as_they_are_annotated(typed):
    """Those that are not given keep their defaults."""
    given = {
        "text": "7",
        "number": "7",
        "share": "0.5",
        "quick": "Yes",
        "words": "unicode",
        "names": "a,b",
        "limits": "1,2",
    }
    job = load(f"{typed}:Typed", given)
    assert vars(job) == {
        "text": "7",
        "number": 7,
        "share": 0.5,
        "quick": True,
        "words": "unicode",
        "names": ["a", "b"],
        "limits": (1, 2),
    }
    assert load(f"{typed}:Typed", {"text": "", "names": ""}).names == []
    assert vars(load(f"{typed}:Plain", {"size": "3", "anything": "x"})) == {
        "size": 3,
        "anything": "x",
    }


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "Typed",
            {"text": "", "size": "1"},
            r"no setting 'size'.*: text=str \(must be given\), nu",
        ),
        ("Typed", {"text": "", "word": "x"}, "Is 'words' meant[?] Its settings"),
        (
            "Typed",
            {"text": "", "x": "y"},
            r"quick=yes\|no \(no\), .*words=.* \(space\), names=str,\.\.\., ",
        ),
        ("Typed", {}, "needs --set text="),
        ("Typed", {"text": "", "number": "x"}, r"--set number=x .*number=int"),
        ("Typed", {"text": "", "share": "x"}, r"share=float"),
        ("Typed", {"text": "", "quick": "x"}, r"quick=yes\|no"),
        ("Typed", {"text": "", "words": "x"}, r"words=space\|unicode"),
        ("Typed", {"text": "", "limits": "1,x"}, r"limits=int,\.\.\."),
        ("Typed", {"text": "", "number": "-1"}, "ValueError: number is below 0"),
        ("Plain", {"more": "x"}, "no setting 'more'"),
        ("ready", {"size": "3"}, "ready object"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(typed, name, arguments, message):
    """The message lists what there is, or the form that is wanted."""
    with pytest.raises(UsageError, match=message):
        load(f"{typed}:{name}", arguments)
