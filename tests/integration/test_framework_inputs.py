"""Inputs on a real cluster: of every kind, exactly; bad ones named, and nothing half done.

What single sources do is for the framework's own tests; here they meet clients and agents.
"""

import bz2
import contextlib
import gzip
import http.server
import json
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import framework_lab
from conformance.pocket import Daemon, PocketCluster
from conformance.wire import request
from framework_lab import Command, Gates, await_, make_book

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECRET = "sesame-open-1234"

LINES = """
from mapreduce import Job

class Lines(Job):
    def map(self, block):
        return {"lines": block.count(b"\\n")}

    def combine(self, left, right):
        return left + right
"""


@pytest.fixture(scope="module")
def pocket() -> Iterator[PocketCluster]:
    with framework_lab.cluster() as running:
        yield running


@pytest.fixture
def master(pocket: PocketCluster) -> Daemon:
    return pocket.masters[0]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "book.txt"
    make_book(path, 12 << 20)
    return path


def counted(*texts: Path) -> bytes:
    """Return the output that is expected for these texts, by `collections.Counter`."""
    expected: Counter[str] = Counter()
    for text in texts:
        expected.update(text.read_bytes().decode("utf-8", "surrogateescape").split())
    rows = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
    lines = "".join(f"{word}\t{count}\n" for word, count in rows)
    return lines.encode("utf-8", "surrogateescape")


@pytest.fixture
def text(book: Path, tmp_path: Path) -> Path:
    """A copy of the book's that a test may do to what it likes."""
    copy = tmp_path / "text.txt"
    copy.write_bytes(book.read_bytes())
    return copy


class Site(http.server.ThreadingHTTPServer):
    """Serves one text: at /ranges by range, at /whole without, at /private with the password.

    At /chunked its length is told by its end.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, text: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.text = text.read_bytes()
        self.gone = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that broke."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        if self.server.gone:
            self.send_error(404)
        elif self.path == "/private" and self.headers["Authorization"] != f"Bearer {SECRET}":
            self.send_error(401)
        elif self.path == "/whole":
            self._send(200, self.server.text)
        elif self.path == "/chunked":
            self._send_chunks()
        else:
            first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
            part = self.server.text[first : last + 1]
            where = f"bytes {first}-{first + len(part) - 1}/{len(self.server.text)}"
            self._send(206, part, where)

    def _send(self, status: int, body: bytes, where: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if where:
            self.send_header("Content-Range", where)
        self.end_headers()
        self.wfile.write(body)

    def _send_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(self.server.text), 1 << 20):
            chunk = self.server.text[start : start + (1 << 20)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(book: Path) -> Iterator[Site]:
    running = Site(book)
    yield running
    running.shutdown()
    running.server_close()


class Runs:
    """The commands of a test, which end with it."""

    def __init__(self, master: Daemon, folder: Path) -> None:
        self.master = master
        self.folder = folder
        self.output = folder / "counts.tsv"
        self.commands: list[Command] = []

    def start(self, job: str, *arguments: object, **options: object) -> Command:
        started = Command(
            *(job, *arguments, "--master", self.master.address, "--output", self.output),
            state=self.folder / "state",
            **options,
        )
        self.commands.append(started)
        return started


@pytest.fixture
def runs(master: Daemon, tmp_path: Path) -> Iterator[Runs]:
    made = Runs(master, tmp_path)
    yield made
    for command in made.commands:
        command.close()


def test_inputs_of_every_kind_are_counted_exactly(
    runs: Runs, book: Path, text: Path, site: Site, tmp_path: Path
) -> None:
    """Files, folders, globs and URLs; compressed, empty, named twice; all in one run."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "below/one.gz").write_bytes(gzip.compress(book.read_bytes(), 1))
    (folder / "two.bz2").write_bytes(bz2.compress(book.read_bytes()[:200_000]))
    (folder / "empty").touch()
    plain = tmp_path / "two.txt"
    plain.write_bytes(book.read_bytes()[:200_000])
    inputs = [book, book, folder, f"{tmp_path}/t*t.txt", f"file://{text}"]
    status, said = runs.start(
        "wordcount", *inputs, f"{site.url}/ranges", f"{site.url}/whole"
    ).done()
    assert status == 0, said
    expected = counted(book, book, book, plain, text, text, book, book)
    assert runs.output.read_bytes() == expected


def test_a_file_that_agents_do_not_see_comes_from_the_client(runs: Runs, text: Path) -> None:
    """It is named so that only the command finds it there: by its own working directory."""
    done = runs.start("wordcount", "/proc/self/cwd/text.txt", cwd=text.parent).done()
    assert done[0] == 0, done[1]
    assert runs.output.read_bytes() == counted(text)


def test_a_url_that_does_not_tell_its_size_is_counted_whole(
    runs: Runs, book: Path, site: Site
) -> None:
    """Nobody on the way takes the unknown size for a number."""
    done = runs.start("wordcount", f"{site.url}/chunked").done()
    assert done[0] == 0, done[1]
    assert runs.output.read_bytes() == counted(book)


def refused(runs: Runs, command: Command, *words: str) -> None:
    """Assert that a run fails with these words, and leaves no output that looks like a result."""
    status, said = command.done()
    assert status == 1, said
    assert all(word in said for word in words), said
    assert not runs.output.exists()


def test_damaged_data_is_named(runs: Runs, book: Path, tmp_path: Path) -> None:
    """With the byte."""
    (tmp_path / "cut.gz").write_bytes(gzip.compress(book.read_bytes(), 1)[:100_000])
    command = runs.start("wordcount", book, tmp_path / "cut.gz")
    refused(runs, command, f"'{tmp_path}/cut.gz' is cut short", "byte 100000")


def test_a_line_of_a_gigabyte_is_named(runs: Runs, tmp_path: Path) -> None:
    """Instead of filling the memory of an agent."""
    path = tmp_path / "line.txt"
    path.write_bytes(b"first\n")
    os.truncate(path, 1 << 30)
    (tmp_path / "lines.py").write_text(LINES)
    command = runs.start(f"{tmp_path}/lines.py:Lines", path)
    refused(runs, command, f"'{path}' has a record of more than", "begins at byte 6.")


@pytest.mark.parametrize("change", ["touch", "shrink", "remove"])
def test_a_file_that_changes_during_the_job_is_named(
    runs: Runs, text: Path, tmp_path: Path, change: str
) -> None:
    """Whatever was counted until then is no result."""
    gates = Gates(tmp_path / "gates")
    command = runs.start(gates.job("map", kept=False), text)
    await_(lambda: gates.waits("map"), "a task that maps", command)
    if change == "touch":
        os.utime(text, ns=(5, 5))
    elif change == "shrink":
        os.truncate(text, 1000)
    else:
        text.unlink()
    gates.open("map")
    refused(runs, command, str(text), "No such file" if change == "remove" else "changed during")


def test_a_url_that_goes_during_the_job_is_named(runs: Runs, site: Site, tmp_path: Path) -> None:
    """With its server's answer."""
    gates = Gates(tmp_path / "gates")
    command = runs.start(gates.job("map", kept=False), f"{site.url}/ranges")
    await_(lambda: gates.waits("map"), "a task that maps", command)
    site.gone = True
    gates.open("map")
    refused(runs, command, f"{site.url}/ranges", "404")


def shown(pocket: PocketCluster) -> Iterator[str]:
    """Yield all that masters and agents show, and the arguments of all processes."""
    for daemon in (*pocket.masters, *pocket.agents):
        yield request(daemon.address, "GET", "/state").body
        for kind in ("GET_STATE", "GET_EXECUTORS", "GET_TASKS", "GET_FRAMEWORKS"):
            header = {"Content-Type": "application/json", "Accept": "application/json"}
            answer = request(daemon.address, "POST", "/api/v1", {"type": kind}, header)
            yield answer.body
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def test_credentials_are_nowhere_to_be_seen(
    runs: Runs, pocket: PocketCluster, site: Site, book: Path, tmp_path: Path
) -> None:
    """Neither in what Mesos shows, nor in arguments, sandboxes, logs or the journal."""
    options = tmp_path / "options.json"
    options.write_text(json.dumps({site.url: {"headers": {"Authorization": f"Bearer {SECRET}"}}}))
    options.chmod(0o600)
    gates = Gates(tmp_path / "gates")
    command = runs.start(gates.job("map", kept=False), f"{site.url}/private", "--storage", options)
    await_(lambda: gates.waits("map"), "a task that maps", command)
    found = list(shown(pocket))
    assert any("map-0-try-1" in one for one in found)
    assert not [one for one in found if SECRET in one]
    kept = [
        path for top in (pocket.run, command.state) for path in top.rglob("*") if path.is_file()
    ]
    assert kept
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
    gates.open("map")
    status, said = command.done()
    assert status == 0, said
    assert SECRET not in said
    assert runs.output.read_bytes() == counted(book)
