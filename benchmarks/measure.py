"""Run a command and say what it took: measure.py SECONDS COMMAND...

Prints one line of JSON: {"seconds", "user", "system", "memory", "status", "output"}. Seconds are
those from the command's start to its end, and of CPU time of it and its children; memory is the
largest resident set of it or a child, in MB; status is an exit status, or a signal's number below
0; output is the end of what it said. The command is killed after SECONDS. Needs nothing but
Python, as it also runs on the lab's nodes.
"""

import json
import os
import signal
import sys
import tempfile
import time
from typing import Any

END_OF_OUTPUT = 2000


def main() -> None:
    """Run the command that the arguments give."""
    with tempfile.TemporaryFile() as output:
        files: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)
        ]
        files.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        began = time.monotonic()
        pid = os.posix_spawnp(
            sys.argv[2], sys.argv[2:], os.environ, file_actions=files, setpgroup=0
        )
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(pid, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
        _, status, usage = os.wait4(pid, 0)
        seconds = time.monotonic() - began
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    result = {
        "seconds": round(seconds, 3),
        "user": round(usage.ru_utime, 3),
        "system": round(usage.ru_stime, 3),
        "memory": round(usage.ru_maxrss * 1024 / 1e6, 1),
        "status": os.waitstatus_to_exitcode(status),
        "output": said[-END_OF_OUTPUT:],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
