"""The command `mapreduce`: an exit status and a clear message, whatever happens, for every signal.

Nothing but signals is dealt with here, so that they are before anything else is imported.
`mapreduce.client.command` is what the command does.
"""

import os
import signal
import sys

TYPE_CHECKING = False  # as type checkers know it; the module typing takes long to import

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None] | signal.Handlers

FAILED, BAD_INPUT = 1, 2
"""Exit statuses besides 0, which only a complete result has, and 128 + a signal's number."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_INTERRUPTED = "mapreduce: interrupted; nothing is left running\n"


class Interrupted(BaseException):
    """A signal asks for the end; the value is the signal's number."""


def main() -> None:
    """Run the command line and exit."""
    _on_signals(_leave)
    status = _main()
    # Python's own end has nothing left to do, and takes long with large libraries.
    os._exit(status)


def _main() -> int:
    from mapreduce.client import command
    from mapreduce.errors import MapReduceError, UsageError

    try:
        try:
            command.run(sys.argv[1:], running=lambda: _on_signals(_interrupt))
            sys.stdout.flush()
            return 0
        finally:
            _on_signals(signal.SIG_IGN)  # all that is left is a word, and the process' end
    except Interrupted as signalled:
        os.write(2, _INTERRUPTED.encode())
        return 128 + int(signalled.args[0])
    except (MapReduceError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return 128 + signal.SIGPIPE
        print(f"mapreduce: {error}", file=sys.stderr, flush=True)
        return BAD_INPUT if isinstance(error, UsageError) else FAILED


def _on_signals(handler: "Handler") -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


def _leave(number: int, frame: "FrameType | None") -> None:
    """End at once: nothing runs yet. An exception would get lost in the midst of an import."""
    os.write(2, _INTERRUPTED.encode())
    os._exit(128 + number)


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Begin the teardown, unless it is under way: then it is left to end."""
    error = sys.exception()
    while error is not None:
        if isinstance(error, Interrupted):
            return
        error = error.__context__
    raise Interrupted(number)
