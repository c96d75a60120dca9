"""A name stands for just the files that it seems to stand for, or for an error."""

import os
import tempfile
from pathlib import Path

import pytest

from mapreduce.errors import UsageError
from mapreduce.inputs.globs import files

FILES = ["b.txt", "c/y.txt", "a/z.txt", "a/e.log", "B/x.txt", "c/d/w.txt", "c/.old/v.txt", ".h.txt"]


@pytest.fixture
def folder():
    """A folder that others may look into, other than pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        yield folder
        (folder / "a").chmod(0o755)


def found(folder, name):
    return [os.path.relpath(path, folder) for path in files(f"{folder}/{name}")]


def test_a_folder_stands_for_all_files_below_it(folder):
    """In a fixed order, hidden ones included."""
    assert found(folder, "") == [
        *[".h.txt", "b.txt", "B/x.txt", "a/e.log", "a/z.txt", "c/y.txt"],
        *["c/.old/v.txt", "c/d/w.txt"],
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["b.txt"]),
        ("?.txt", ["b.txt"]),
        ("[ab]*/*.txt", ["a/z.txt"]),
        ("[!a]/x.*", ["B/x.txt"]),
        ("*/y.txt", ["c/y.txt"]),
        ("**/*.txt", ["b.txt", "B/x.txt", "a/z.txt", "c/y.txt", "c/d/w.txt"]),
        ("**/d/*.txt", ["c/d/w.txt"]),
        ("c/**/*.txt", ["c/y.txt", "c/d/w.txt"]),
        (".*.txt", [".h.txt"]),
        ("c/.*/*", ["c/.old/v.txt"]),
    ],
)
def test_a_glob_stands_for_what_a_shell_makes_of_it(folder, pattern, expected):
    """Hidden files only where the pattern names the dot."""
    assert found(folder, pattern) == expected


def test_a_folder_that_fits_a_glob_stands_for_its_files(folder):
    """As it does where the shell expands the glob."""
    assert found(folder, "[ab]") == ["a/e.log", "a/z.txt"]


def test_a_glob_gives_each_file_once(folder):
    """`**` fits folders and their files, too."""
    assert sorted(found(folder, "**")) == sorted(FILES)
    assert sorted(found(folder, "c/**")) == sorted(name for name in FILES if name[0] == "c")


def test_a_file_whose_name_looks_like_a_glob_is_itself(folder):
    """What exists under the very name is meant."""
    (folder / "[b].txt").write_text("x")
    assert found(folder, "[b].txt") == ["[b].txt"]


@pytest.mark.parametrize("pattern", ["*.none", "none/*", "b.txt/*", "**/none*"])
def test_a_glob_that_fits_nothing_is_an_error_that_names_it(folder, pattern):
    """A typing mistake must not count as no words."""
    with pytest.raises(UsageError) as caught:
        found(folder, pattern)
    assert repr(f"{folder}/{pattern}") in str(caught.value)


def test_links_are_followed_but_not_in_circles(folder):
    """A linked folder's files belong to it; a link to a folder above adds nothing."""
    (folder / "c/up").symlink_to(folder)
    (folder / "c/self").symlink_to("self")
    (folder / "link").symlink_to(folder / "a")
    names = found(folder, "")
    assert "link/z.txt" in names
    assert "c/self" in names  # and cannot be read, which is said when it is
    assert not any("up" in name for name in names)
    assert found(folder, "**/z.txt") == ["a/z.txt", "link/z.txt"]


@pytest.fixture
def unreadable(folder):
    """Close the folder `a`, and give up root's right to read it all the same."""
    (folder / "a").chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.parametrize("name", ["", "**/*.txt", "a/*", "a/**"])
def test_a_folder_that_may_not_be_read_is_an_error(folder, name, unreadable):
    """Its files would be missing unnoticed."""
    with pytest.raises(UsageError, match=r"/a(/\*+)?' cannot be read: Permission denied"):
        found(folder, name)
