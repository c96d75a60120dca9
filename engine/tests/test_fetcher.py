"""What the fetcher brings into a sandbox, and what it refuses."""

import contextlib
import functools
import gzip
import http.server
import io
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pocket_mesos.containerizer.fetcher import FetchError, fetch


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address of a real server that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def bring(sandbox: Path, value: str, **item: object) -> Path:
    return fetch({"value": value, **item}, sandbox, 60.0, "")


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_local_files_are_copied(tmp_path: Path, sandbox: Path, prefix: str) -> None:
    """Paths and file URIs alike; contents and mode stay."""
    source = tmp_path / "data.txt"
    source.write_text("hello")
    assert bring(sandbox, f"{prefix}{source}").read_text() == "hello"


def test_downloads(served: tuple[Path, str], sandbox: Path) -> None:
    """The query is no part of the name."""
    folder, url = served
    (folder / "data.txt").write_text("hello")
    assert bring(sandbox, f"{url}/data.txt?x=/y").name == "data.txt"
    with pytest.raises(FetchError, match="404"):
        bring(sandbox, f"{url}/absent")


def test_executables_can_be_executed(tmp_path: Path, sandbox: Path) -> None:
    """And are not extracted, whatever they are called."""
    source = archive(tmp_path / "tool.tar.gz", ("inside", b"x"))
    target = bring(sandbox, str(source), executable=True)
    assert target.stat().st_mode & stat.S_IXUSR
    assert not (sandbox / "inside").exists()


def test_archives_are_extracted_unless_told_otherwise(tmp_path: Path, sandbox: Path) -> None:
    """tar, zip and gz."""
    bring(sandbox, str(archive(tmp_path / "a.tar.gz", ("folder/a", b"1"))))
    assert (sandbox / "folder" / "a").read_bytes() == b"1"
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        info = zipfile.ZipInfo("b.sh")
        info.external_attr = 0o755 << 16
        packed.writestr(info, b"2")
    bring(sandbox, str(tmp_path / "b.zip"))
    assert (sandbox / "b.sh").read_bytes() == b"2"
    assert (sandbox / "b.sh").stat().st_mode & 0o111
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"3"))
    bring(sandbox, str(tmp_path / "c.txt.gz"))
    assert (sandbox / "c.txt").read_bytes() == b"3"
    bring(sandbox, str(archive(tmp_path / "d.tgz", ("d", b"4"))), extract=False)
    assert not (sandbox / "d").exists()


def test_output_files_go_where_they_are_told_within_the_sandbox(
    tmp_path: Path, sandbox: Path
) -> None:
    """Into folders below; not above, not elsewhere."""
    source = tmp_path / "data.txt"
    source.write_text("x")
    assert bring(sandbox, str(source), output_file="a/b") == (sandbox / "a" / "b").resolve()
    for bad in ("../out", "/tmp/out", "a/../../out", "."):
        with pytest.raises(FetchError):
            bring(sandbox, str(source), output_file=bad)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_archives_cannot_write_outside(tmp_path: Path, sandbox: Path, name: str) -> None:
    """Neither tar nor zip."""
    # A tar's leading slash is taken off, anything else that leads out is refused.
    with contextlib.suppress(FetchError):
        bring(sandbox, str(archive(tmp_path / "e.tar.gz", (name, b"x"))))
        assert name == "/evil"
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as packed:
        packed.writestr(name, b"x")
    with pytest.raises(FetchError):
        bring(sandbox, str(tmp_path / "e.zip"))
    assert not (sandbox.parent / "evil").exists()
    assert not Path("/evil").exists()


def test_links_in_archives_cannot_lead_outside(tmp_path: Path, sandbox: Path) -> None:
    """A link out, then a file through it."""
    path = tmp_path / "l.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        info = tarfile.TarInfo("out/evil")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(FetchError):
        bring(sandbox, str(path))
    assert not (tmp_path / "evil").exists()


def test_damaged_archives_are_an_error(tmp_path: Path, sandbox: Path) -> None:
    """Truncated or something else altogether."""
    whole = archive(tmp_path / "w.tar.gz", ("a", b"x" * 100_000)).read_bytes()
    for name, data in (("t.tar.gz", whole[: len(whole) // 2]), ("n.zip", b"no"), ("g.gz", b"no")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FetchError, match="Failed to extract"):
            bring(sandbox, str(tmp_path / name))


@pytest.mark.parametrize("value", ["relative/path", "gopher://x/y", "http://127.0.0.1:1/", ""])
def test_what_cannot_be_fetched(sandbox: Path, value: str) -> None:
    """Relative without a home, unknown schemes, nameless ones."""
    with pytest.raises(FetchError):
        bring(sandbox, value)


def test_relative_paths_need_a_home(tmp_path: Path, sandbox: Path) -> None:
    """The flag frameworks_home."""
    (tmp_path / "tool").write_text("x")
    assert fetch({"value": "tool"}, sandbox, 60.0, str(tmp_path)).read_text() == "x"
