"""Inputs are found, and read where they are, before and during a job."""

import http.server
import os
import threading
from functools import partial

import pytest

from mapreduce.errors import UsageError
from mapreduce.inputs import find
from mapreduce.sources import FileSource, ServedSource, SourceError, UrlSource, open_source


@pytest.fixture
def folder(tmp_path):
    contents = {
        "b.txt": b"two",
        "c/y.txt": b"four",
        "a/z.txt": b"three",
        "a/e.txt": b"",
        "B/x.txt": b"five",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def web(folder):
    """A web server without ranges, as Python's own is."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_folder_stands_for_all_files_below_it(folder):
    """In a fixed order, empty files included."""
    found = find([str(folder)])
    assert [(item.name.removeprefix(f"{folder}/"), item.size) for item in found] == [
        ("b.txt", 3),
        ("B/x.txt", 4),
        ("a/e.txt", 0),
        ("a/z.txt", 5),
        ("c/y.txt", 4),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{}/none.txt", "No such file"),
        ("/dev/null", "not a regular file"),
        ("nosuch://x/y", "nosuch"),
        ("http://127.0.0.1:1/x", "cannot be read"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(folder, name, message):
    """Before anything is started."""
    name = name.format(folder)
    with pytest.raises(UsageError, match=message) as caught:
        find([name])
    assert repr(name) in str(caught.value)


@pytest.fixture
def no_root():
    """Give up root's right to read everything, if it is root that tests."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.parametrize("inside", [True, False])
def test_an_input_that_may_not_be_read_is_named(folder, no_root, inside):
    """A file, or a folder below which files would be missed."""
    if os.getuid() != 0:
        (folder / "a").chmod(0)
    name = folder / "a/z.txt" if inside else folder
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        find([str(name)])


def test_a_file_that_is_seen_here_is_read_here(folder):
    """No detour over the network for what is on the same machine or share."""
    found = find([str(folder / "b.txt")])[0]
    source = open_source(found.reference("http://127.0.0.1:1/x/inputs/0"))
    assert isinstance(source, FileSource)
    assert source.read(1, 100) == b"wo"


@pytest.mark.parametrize("change", ["other size", "other time", "absent"])
def test_another_file_of_the_same_name_is_not_taken_for_it(folder, change):
    """An agent's own file at that path must not be counted instead."""
    path = folder / "b.txt"
    reference = find([str(path)])[0].reference("http://127.0.0.1:1/x/inputs/0")
    if change == "absent":
        path.unlink()
    elif change == "other size":
        path.write_bytes(b"four")
    else:
        os.utime(path, ns=(5, 5))
    assert isinstance(open_source(reference), ServedSource)


def test_a_file_that_changes_while_it_is_read_is_an_error(folder):
    """No result may mix two versions of an input."""
    path = folder / "b.txt"
    source = open_source(find([str(path)])[0].reference("http://127.0.0.1:1/x/inputs/0"))
    path.write_bytes(b"2")
    with pytest.raises(SourceError, match=r"b\.txt.*changed"):
        source.read(0, 3)


def test_a_url_without_ranges_is_read_front_to_back(web):
    """Its server would answer a range with everything."""
    found = find([f"{web}/b.txt"])[0]
    assert found.size is None
    source = open_source(found.reference("unused"))
    assert isinstance(source, UrlSource)
    assert [source.read(0, 2), source.read(2, 4), source.read(3, 5)] == [b"tw", b"o", b""]


def test_a_url_with_ranges_is_read_by_range(tmp_path):
    """Any fsspec URL whose size is known, here a file's."""
    (tmp_path / "x.txt").write_bytes(b"0123456789")
    found = find([f"file://{tmp_path}/x.txt"])[0]
    assert found.size == 10
    source = open_source(found.reference("unused"))
    assert [source.read(8, 20), source.read(2, 4), source.read(10, 12)] == [b"89", b"23", b""]


def test_a_url_that_answers_404_is_an_error(web):
    """The message carries the server's answer."""
    with pytest.raises(UsageError, match=r"none\.txt"):
        find([f"{web}/none.txt"])
