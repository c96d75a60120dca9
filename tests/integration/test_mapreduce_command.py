"""The command and the Python API on a cluster: what people see, and how they stop it."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import framework_lab
from conformance.wire import Address, request

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MAPREDUCE = Path(sys.executable).parent / "mapreduce"
PATIENCE = 120.0

# A job that waits in its second block until a file is there.
WAITING = """
import time
from pathlib import Path

from mapreduce.jobs.wordcount import WordCount

GATE = Path({gate!r})


class Waiting(WordCount):
    def map(self, block):
        while block.offset and not GATE.exists():
            time.sleep(0.05)
        return super().map(block)
"""


@pytest.fixture(scope="module")
def master() -> Iterator[Address]:
    with framework_lab.cluster(1, launcher="posix", isolation="posix/cpu,posix/mem") as pocket:
        yield pocket.masters[0].address


@pytest.fixture
def gate(tmp_path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def waiting(tmp_path, gate) -> tuple[str, str]:
    """A job that waits for the gate, and its input, of several blocks."""
    tmp_path.chmod(0o755)
    (tmp_path / "waiting.py").write_text(WAITING.format(gate=str(gate)))
    (tmp_path / "text").write_bytes(b"to be or not to be\n" * 300_000)
    return f"{tmp_path}/waiting.py:Waiting", f"{tmp_path}/text"


def frameworks(master: Address) -> int:
    return len(request(master, "GET", "/state").json()["frameworks"])


def await_(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.seen = b""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ["COLUMNS"] = "150"
            os.environ["TERM"] = "xterm"
            os.execv(MAPREDUCE, [str(MAPREDUCE), *arguments])
        os.set_blocking(self._terminal, False)

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def read(self) -> str:
        """Return all that was shown so far, without colours and movements."""
        try:
            while more := os.read(self._terminal, 65536):
                self.seen += more
        except OSError:  # nothing yet, or the end
            pass
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen.decode(errors="replace"))

    def ended(self) -> int | None:
        """Return the exit status, None while it runs."""
        self.read()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def end(self) -> int:
        statuses: list[int | None] = []
        await_(lambda: statuses.append(self.ended()) or statuses[-1] is not None)
        os.set_blocking(self._terminal, True)  # until all has arrived: then comes EIO
        self.read()
        assert statuses[-1] is not None
        return statuses[-1]

    @property
    def cursor(self) -> bool:
        """Whether the cursor is shown."""
        return self.seen.rfind(b"\x1b[?25h") >= self.seen.rfind(b"\x1b[?25l")


def test_a_terminal_shows_the_run_as_it_goes(master, waiting, gate):
    """Blocks done, cores in use, tasks on the agent; then the rows and where the time went."""
    terminal = Terminal("run", *waiting, "--master", str(master), "--top", "2")
    await_(lambda: re.search(r"mapping .* MB of 5\.7 MB", terminal.read()))
    await_(lambda: re.search(r"\d cores? · \S+ \d+ tasks?", terminal.read()))
    assert not terminal.cursor
    gate.touch()
    assert terminal.end() == 0
    shown = terminal.read()
    assert "600000  be\r\n600000  to\r\n" in shown
    assert re.search(r"\n  map +\d+\.\d\d s +\d+%", shown)
    assert re.search(r"\n4 keys from 5\.7 MB in \d+\.\d s", shown)
    assert terminal.cursor


def test_ctrl_c_ends_it_cleanly(master, waiting):
    """One word, the cursor back, the framework gone; pressing it again breaks nothing."""
    terminal = Terminal("run", *waiting, "--master", str(master))
    await_(lambda: re.search(r"mapping .* MB of", terminal.read()))
    assert frameworks(master) == 1
    terminal.press(b"\x03\x03")
    assert terminal.end() == 128 + signal.SIGINT
    assert terminal.read().count("interrupted; nothing is left running") == 1
    assert "Traceback" not in terminal.read()
    assert terminal.cursor
    await_(lambda: frameworks(master) == 0)


API = """
import signal, sys, threading

import mapreduce

before = signal.getsignal(signal.SIGINT)
found = {}


def count(times):
    inputs = [sys.argv[2]] * times
    with mapreduce.run("wordcount", inputs, master=sys.argv[1], top=1) as result:
        found[times] = result.keys, list(result.rows())


threads = [threading.Thread(target=count, args=(times,)) for times in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
count(3)
assert found == {times: (4, [("be", 600000 * times)]) for times in (1, 2, 3)}, found
assert signal.getsignal(signal.SIGINT) is before
"""


def test_runs_go_side_by_side_and_one_after_the_other(master, waiting):
    """In any thread of one process, without a word, and without taking its signals."""
    done = subprocess.run(
        [sys.executable, "-c", API, str(master), waiting[1]],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")


INTERRUPTED = """
import signal, sys, threading, _thread

import mapreduce

# Shells start what runs in their background with SIGINT ignored; a notebook's kernel handles it.
signal.signal(signal.SIGINT, signal.default_int_handler)

stop = threading.Event()


class Marking:
    def show(self, status):
        if status.phase == "map" and not stop.is_set():
            stop.set()
            _thread.interrupt_main()

    def say(self, text):
        pass

    def close(self):
        pass


try:
    mapreduce.run(sys.argv[2], sys.argv[3], master=sys.argv[1], progress=Marking())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupted_call_leaves_nothing_running(master, waiting):
    """A notebook's stop button is a KeyboardInterrupt."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(master), *waiting],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
    await_(lambda: frameworks(master) == 0)
