"""Give a folder the shape of a Mesos prefix: pocket_prefix.py PREFIX.

PREFIX/lib/pocket-mesos is a virtual environment with pocket-mesos; run this with its
Python. What Mesos keeps in sbin, bin, libexec/mesos and share/mesos/webui becomes relative
links into it, so that the prefix can be moved.
"""

import os
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

DAEMONS = {"mesos-master", "mesos-agent"}


def link(source: Path, target: Path) -> None:
    """Make the link target, relative, to source."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(os.path.relpath(source, target.parent))


def main() -> None:
    """Link programs, helpers and the web interface."""
    prefix = Path(sys.argv[1]).resolve()
    programs = Path(sys.prefix) / "bin"
    for entry in distribution("pocket-mesos").entry_points.select(group="console_scripts"):
        folder = "sbin" if entry.name in DAEMONS else "bin"
        link(programs / entry.name, prefix / folder / entry.name)
    package = Path(find_spec("pocket_mesos").origin).parent
    for helper in sorted((package / "libexec").glob("mesos-*")):
        link(helper, prefix / "libexec" / "mesos" / helper.name)
    link(package / "webui", prefix / "share" / "mesos" / "webui")


main()
