"""``python -m pocket_mesos.libexec --install DIR``."""

import argparse
import sys
from pathlib import Path

from pocket_mesos import libexec


def main() -> int:
    """Install the helper programs."""
    parser = argparse.ArgumentParser(
        prog="python -m pocket_mesos.libexec",
        description="Write the agent's helper programs, to be named by --launcher_dir.",
    )
    parser.add_argument(
        "--install",
        metavar="DIR",
        type=Path,
        default=libexec.default_dir(),
        help="folder to write them into (default: %(default)s)",
    )
    for program in libexec.install(parser.parse_args().install):
        sys.stdout.write(f"{program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
