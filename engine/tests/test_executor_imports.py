"""Executors import little: they are started by the thousand, each by an interpreter of its own."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pocket_mesos
from pocket_mesos import libexec
from pocket_mesos.executors.bare import dumps, loads

HEAVY = {"asyncio", "enum", "json", "re", "selectors", "signal", "socket", "subprocess", "typing"}
"""Each takes as long as the rest of an executor's start together, or imports one that does."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@pytest.mark.parametrize("program", ["mesos-executor", "mesos-default-executor"])
def test_an_executor_imports_nothing_heavy(program: str) -> None:
    """What one module more costs, a thousand starts pay."""
    module, source = libexec.PROGRAMS[program], str(Path(pocket_mesos.__file__).parent.parent)
    code = f"import sys; sys.path.append({source!r}); import {module}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-IS", "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    found = set(run.stdout.split())
    assert module in found
    assert found & HEAVY == set()


@given(values)
def test_json_is_read_and_written_as_json_does(value: object) -> None:
    """By parts of the interpreter that nobody has promised: here they are held to it."""
    assert dumps(value) == json.dumps(value)
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        try:
            data = text.encode()
        except UnicodeEncodeError:
            continue  # half a surrogate pair, which only its escape can tell
        assert loads(data) == json.loads(data) == value


@pytest.mark.parametrize("text", [b"", b"{", b'{"a" 1}', b"[1,", b"nul", b'"\n"', b"\xff"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """With what json would raise."""
    with pytest.raises(ValueError):
        loads(text)
    with pytest.raises(ValueError):
        json.loads(text)


@pytest.mark.parametrize("value", [math.nan, {1, 2}, b"bytes"])
def test_what_json_cannot_tell_is_refused(value: object) -> None:
    """Rather than sent as what no agent reads."""
    with pytest.raises((ValueError, TypeError)):
        dumps(value)


def test_a_programs_status_and_last_line_get_out(tmp_path: Path) -> None:
    """They end without the interpreter's own way out, which would write what is buffered."""
    (tmp_path / "ended.py").write_text("def main():\n    print('last')\n    return 3\n")
    program = tmp_path / "program"
    program.write_text(libexec.script("ended", source=tmp_path))
    program.chmod(0o755)
    run = subprocess.run([program], check=False, stdout=subprocess.PIPE, text=True)
    assert (run.returncode, run.stdout) == (3, "last\n")
