"""Give a folder the shape of a Mesos prefix: pocket_prefix.py PREFIX.

PREFIX/lib/pocket-mesos is a virtual environment with pocket-mesos; run this with its
Python. What Mesos keeps in sbin and bin become relative links into it.
"""

import os
import sys
from importlib.metadata import distribution
from pathlib import Path

from pocket_mesos import libexec

DAEMONS = {"mesos-master", "mesos-agent"}


def link(source: Path, target: Path) -> None:
    """Make the relative link target, which leads to source."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(source, target.parent))


def main() -> None:
    """Make programs, helpers and the folder of the web interface appear where Mesos has them."""
    prefix = Path(sys.argv[1])
    for entry in distribution("pocket-mesos").entry_points.select(group="console_scripts"):
        folder = "sbin" if entry.name in DAEMONS else "bin"
        link(Path(sys.prefix) / "bin" / entry.name, prefix / folder / entry.name)
    libexec.install(prefix / "libexec" / "mesos")
    (prefix / "share" / "mesos" / "webui").mkdir(parents=True, exist_ok=True)


main()
