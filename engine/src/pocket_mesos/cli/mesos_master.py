"""mesos-master: wiring only."""

import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

import uvloop

from pocket_mesos import MESOS_VERSION, logs, network
from pocket_mesos.flags import FlagsError
from pocket_mesos.flags.master import MasterFlags
from pocket_mesos.master.process import MasterProcess
from pocket_mesos.protocol.errors import PocketError

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the master until it is told to end or loses its leadership."""
    try:
        flags = MasterFlags.load(sys.argv[1:] if arguments is None else arguments, os.environ)
    except FlagsError as error:
        sys.stderr.write(MasterFlags.usage(str(error)))
        sys.exit(1)
    if flags.help:
        print(MasterFlags.usage(), end="")
        return
    if flags.version:
        print(f"mesos {MESOS_VERSION}")
        return
    try:
        log_file = logs.start(
            flags.program, level=flags.logging_level, quiet=flags.quiet, log_dir=flags.log_dir
        )
        uvloop.run(_run(flags, MasterProcess(flags, str(uuid.uuid4()), network, log_file)))
    except (PocketError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


async def _run(flags: MasterFlags, process: MasterProcess) -> None:
    """Serve until a signal asks to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await process.start()
    try:
        await process.wait(stop)
    finally:
        await process.stop()


if __name__ == "__main__":
    main()
