"""The program ``mesos-agent``."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

import uvloop

from pocket_mesos import MESOS_VERSION, logs
from pocket_mesos.agent.daemon import Daemon
from pocket_mesos.agent.service import serve
from pocket_mesos.flags import FlagsError
from pocket_mesos.flags.agent import AgentFlags
from pocket_mesos.protocol.errors import PocketError

log = logging.getLogger(__name__)


def main() -> int:
    """Run the agent; the exit status is 0 when it was asked to end."""
    try:
        flags = AgentFlags.load(sys.argv[1:], os.environ)
    except FlagsError as error:
        sys.stderr.write(AgentFlags.usage(str(error)))
        return 1
    if flags.help:
        sys.stdout.write(AgentFlags.usage())
        return 0
    if flags.version:
        sys.stdout.write(f"mesos {MESOS_VERSION}\n")
        return 0
    try:
        path = logs.start(
            AgentFlags.program, level=flags.logging_level, quiet=flags.quiet, log_dir=flags.log_dir
        )
    except OSError as error:
        sys.stderr.write(f"Failed to log to '{flags.log_dir}': {error.strerror}\n")
        return 1
    shown = flags.external_log_file or path
    return uvloop.run(_run(flags, lambda: None if shown is None else str(shown)))


async def _run(flags: AgentFlags, log_file: Callable[[], str | None]) -> int:
    try:
        return await serve(flags, log_file=log_file, on_started=_take_signals)
    except PocketError as error:
        log.error("EXIT with status 1: %s", error)
        if flags.quiet:
            sys.stderr.write(f"{error}\n")
        return 1


def _take_signals(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, daemon.stop)
    loop.add_signal_handler(signal.SIGINT, daemon.stop)
    loop.add_signal_handler(signal.SIGUSR1, daemon.shut_down)


if __name__ == "__main__":
    sys.exit(main())
