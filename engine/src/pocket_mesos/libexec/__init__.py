"""The helper programs of the agent, to be installed into a ``launcher_dir``.

Each is a small script that starts this very interpreter without site packages, so that it is up
within milliseconds. ``python -m pocket_mesos.libexec --install DIR`` writes them.
"""

import os
import sys
from pathlib import Path

import pocket_mesos

PROGRAMS = {
    "mesos-executor": "pocket_mesos.executors.command",
    "mesos-default-executor": "pocket_mesos.executors.default",
    "mesos-fetcher": "pocket_mesos.containerizer.fetcher",
}
"""Program and the module whose ``main`` it runs."""

_SCRIPT = """\
#!{python} -IS
import os, sys
sys.path.append({source!r})
from {module} import main
status = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)  # the interpreter's own way out takes as long as a third of its start
"""

_SOURCE = Path(pocket_mesos.__file__).parent.parent

_KERNEL_LIMIT = 127
"""Bytes of a script's first line that every kernel reads."""


def default_dir() -> Path:
    """Return where the programs are unless ``launcher_dir`` says otherwise."""
    return Path(sys.prefix) / "libexec" / "mesos"


def script(module: str, python: str = sys.executable, source: Path = _SOURCE) -> str:
    """Return the text of a program.

    Args:
        module: whose ``main`` it runs.
        python: the interpreter, readable for the users of tasks.
        source: folder that the package is in, likewise.
    """
    text = _SCRIPT.format(python=python, source=str(source), module=module)
    if len(text.split("\n", 1)[0]) <= _KERNEL_LIMIT and " " not in python:
        return text
    # A shell in between has no such limit; Python takes its second line for a string.
    shell = f"#!/bin/sh\n'''exec' '{python}' -IS \"$0\" \"$@\"\n' '''\n"
    return shell + text.split("\n", 1)[1]


def install(folder: Path) -> list[Path]:
    """Write the programs into a folder, those that are there already as they should be aside.

    Returns:
        All the programs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, module in PROGRAMS.items():
        target = folder / name
        text = script(module)
        if not target.is_file() or target.read_text() != text:
            # Several agents of one machine may start at once.
            new = folder / f".{name}.{os.getpid()}"
            new.write_text(text)
            new.chmod(0o755)
            new.replace(target)
        written.append(target)
    return written
