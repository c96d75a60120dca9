"""Inputs are found before a job begins, and what cannot be read is named then."""

import bz2
import gzip
import json
import os
import socket

import pytest

from mapreduce.errors import UsageError
from mapreduce.inputs.inputs import find


@pytest.fixture
def folder(tmp_path):
    contents = {"b.txt": b"two", "a/z.txt": b"three", "a/e.txt": b"", "B/x.txt": b"five"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_folder_stands_for_all_files_below_it(folder):
    """In a fixed order, empty files included."""
    found = find([str(folder)])
    assert [(item.name.removeprefix(f"{folder}/"), item.size) for item in found] == [
        ("b.txt", 3),
        ("B/x.txt", 4),
        ("a/e.txt", 0),
        ("a/z.txt", 5),
    ]
    assert all(item.splittable for item in found)


def test_inputs_come_in_the_order_in_which_they_are_named(folder):
    """Whatever kind they are of; and what is named twice counts twice."""
    names = [f"{folder}/b.txt", f"file://{folder}/a/z.txt", f"{folder}/[b].txt", f"{folder}/a"]
    assert [item.size for item in find(names)] == [3, 5, 3, 0, 5]


def test_a_file_url_is_a_local_file(folder):
    """Which agents get from the scheduler where they don't see it."""
    (folder / "a b.txt").write_text("x")
    found = find([f"file://{folder}/a%20b.txt"])[0]
    assert found == find([f"{folder}/a b.txt"])[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{}/none.txt", "No such file"),
        ("{}/*.none", "No file fits"),
        ("", "variable"),
        ("{}/b.txt/x", "Not a directory"),
        ("{}/x\0y", "null"),
        ("/dev/null", "not a regular file"),
        ("/proc/self/status", "does not tell its size"),
        ("nosuch://x/y", "nosuch"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(folder, name, message):
    """Before anything is started."""
    name = name.format(folder)
    with pytest.raises(UsageError, match=message) as caught:
        find([name])
    assert repr(name) in str(caught.value)


def test_the_path_of_a_relative_name_is_that_file(folder, monkeypatch):
    """Also behind a link, where '..' is not the folder that it seems to be."""
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/x.txt").write_text("behind the link")
    (folder / "link").symlink_to("deep/er")
    monkeypatch.chdir(folder)
    found = find(["link/../x.txt"])[0]
    assert os.path.isabs(found.path)
    with open(found.path) as file:
        assert file.read() == "behind the link"


def test_standard_input_is_refused_with_a_reason():
    """It can be read once only."""
    with pytest.raises(UsageError, match=r"'-'.*Save it to a file"):
        find(["-"])


def test_pipes_and_sockets_are_refused_instead_of_waited_for(folder):
    """Opening a pipe would wait for somebody who writes to it."""
    os.mkfifo(folder / "a/pipe")
    with pytest.raises(UsageError, match="/a/pipe' is not a regular file"):
        find([str(folder)])
    (folder / "a/pipe").unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "a/socket"))
        with pytest.raises(UsageError, match="/a/socket' is not a regular file"):
            find([str(folder)])


def test_a_link_is_its_file_and_a_broken_one_is_named(folder):
    """With where it leads."""
    (folder / "link").symlink_to("b.txt")
    assert find([f"{folder}/link"])[0].size == 3
    (folder / "b.txt").unlink()
    with pytest.raises(UsageError, match=r"/link' cannot be read: it is a link to 'b\.txt', which"):
        find([f"{folder}/link"])
    (folder / "self").symlink_to("self")
    with pytest.raises(UsageError, match="/self' cannot be read: Too many levels"):
        find([f"{folder}/self"])


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


@pytest.mark.parametrize(
    ("name", "compress", "kind"),
    [
        ("x.gz", gzip.compress, "gzip"),
        ("x.txt", bz2.compress, "bzip2"),
        ("x.gz", lambda data: data, None),
    ],
)
def test_compression_is_told_by_what_a_file_holds(tmp_path, name, compress, kind):
    """Names lie. What is compressed cannot be split; its size is what is stored."""
    path = tmp_path / name
    path.write_bytes(compress(b"text" * 100))
    found = find([str(path)])[0]
    assert (found.compression, found.splittable) == (kind, kind is None)
    assert found.size == path.stat().st_size


def test_a_reference_is_plain_data_whatever_the_file_is_called(tmp_path):
    """It travels as JSON; the name is fit for messages, the path is the file's."""
    path = os.path.join(os.fsencode(tmp_path), b"\xff.txt")
    with open(path, "wb") as file:
        file.write(b"x")
    found = find([str(tmp_path)])[0]
    assert found.name.encode() == os.fsencode(tmp_path) + b"/\\xff.txt"
    reference = json.loads(json.dumps(found.reference("http://127.0.0.1:1/x")))
    assert reference["served"] == "http://127.0.0.1:1/x"
    assert os.fsencode(reference["path"]) == path
