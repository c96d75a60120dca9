"""What people see of a run, on a terminal and in a log."""

import contextlib
import pty
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from mapreduce.client import progress
from mapreduce.client.progress import Pace, Status

MAPPING = Status(
    phase="map",
    done=250_000_000,
    total=1_000_000_000,
    blocks=12,
    tasks={"agent2": 1, "agent1": 3},
    cores=4,
    retries=2,
    speculative=1,
)


def paced(*seen):
    """Return the pace after (seconds, status)."""
    pace = Pace()
    for now, status in seen:
        pace.note(status, now)
    return pace


def mapped(done, total=1000):
    return Status(phase="map", done=done, total=total)


def test_the_rate_is_that_of_the_last_seconds():
    """A slow beginning is forgotten."""
    pace = paced(
        *((second, mapped(10 if second < 50 else 10 + 2 * (second - 49))) for second in range(100))
    )
    assert pace.rate == pytest.approx(2)


def test_the_time_left_follows_from_the_rate():
    """Bytes to go by bytes a second."""
    assert paced((0, mapped(0)), (2, mapped(100))).left(mapped(100)) == pytest.approx(18)


def test_nothing_is_foretold_without_a_rate_or_a_total():
    """No division by nothing, and no invented figure."""
    assert paced((5, mapped(7))).left(mapped(7)) is None
    assert paced((0, mapped(0, 0)), (1, mapped(9, 0))).left(mapped(9, 0)) is None


def test_each_phase_has_a_rate_of_its_own():
    """What was mapped says nothing about how fast the reducing is."""
    pace = paced((0, mapped(0)), (1, mapped(900)), (2, Status(phase="reduce", done=950)))
    assert pace.rate == 0


def test_work_that_is_to_be_done_again_gives_no_negative_rate():
    """Blocks of a lost agent count no more."""
    assert paced((0, mapped(0)), (1, mapped(500)), (2, mapped(300))).rate == 0


def test_the_details_name_agents_cores_and_what_ran_again():
    """All that one wants to know while it runs."""
    assert progress.places(MAPPING) == [
        "4 cores",
        "agent1 3 tasks",
        "agent2 1 task",
        "12 blocks done",
        "2 retried",
        "1 speculative",
    ]


def test_many_agents_are_summed_up():
    """A line must fit a terminal."""
    tasks = {f"agent{number:03}": 2 for number in range(100)}
    assert progress.places(Status(phase="map", tasks=tasks))[-1] == "96 more agents 192 tasks"


def test_lines_come_now_and_then(monkeypatch, capsys):
    """Not at each event: a log stays readable."""
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    lines = progress.Lines()
    for _ in range(100):
        clock[0] += 0.11
        lines.show(MAPPING)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2
    assert shown[0].startswith("mapping: 250.0 MB of 1.0 GB, 4 cores, agent1 3 tasks")


def until_closed(terminal: int) -> bytes:
    """Return all that is written to the terminal's other side: it arrives when it likes."""
    parts = []
    with open(terminal, "rb", buffering=0) as seen, contextlib.suppress(OSError):  # EIO: closed
        while part := seen.read(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_terminal_shows_all_of_it_and_is_left_as_it_was(monkeypatch):
    """The bar is removed, the cursor comes back, lines that were said stay."""
    ours, its = pty.openpty()
    with ThreadPoolExecutor(1) as pool, open(its, "w") as stderr:
        seen = pool.submit(until_closed, ours)
        monkeypatch.setattr(progress.sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "140")
        shown = progress.for_terminal()
        shown.show(MAPPING)
        shown.say("one [moment]")
        shown.close()
        stderr.close()
        text = seen.result().decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "one [moment]" in plain
    assert re.search(r"mapping .*250\.0 MB of 1\.0 GB", plain)
    assert "agent1 3 tasks · agent2 1 task" in plain
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3725, "1 h 02 min")]
)
def test_times_are_for_people(seconds, text):
    """Neither 3725 seconds nor 0:00:07.3."""
    assert progress.duration(seconds) == text
