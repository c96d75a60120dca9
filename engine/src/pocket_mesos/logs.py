"""Logging in glog's form: lines, file names and links as Mesos' daemons have them."""

import getpass
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path

_LETTERS = {logging.DEBUG: "I", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E"}


class GlogFormatter(logging.Formatter):
    """``I1122 07:18:44.334022 15761 core.py:164] message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        letter = _LETTERS.get(record.levelno, "F")
        micros = int(record.created % 1 * 1e6)
        thread = threading.get_native_id()
        place = f"{letter}{stamp}.{micros:06d} {thread:5d} {record.filename}:{record.lineno}]"
        text = f"{place} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def configure(
    program: str, *, level: str = "INFO", quiet: bool = False, log_dir: Path | None = None
) -> Path | None:
    """Log to standard error and, with a folder, to a file there.

    Args:
        program: such as ``mesos-agent``; names the file.
        level: INFO, WARNING or ERROR.
        quiet: nothing to standard error.
        log_dir: folder for the log file; made if need be.

    Returns:
        The log file.

    Raises:
        OSError: the folder can't be written.
    """
    root = logging.getLogger()
    root.setLevel(level)
    handlers: list[logging.Handler] = [] if quiet else [logging.StreamHandler(sys.stderr)]
    path = None
    if log_dir is not None:
        path = _open(program, log_dir)
        handlers.append(logging.FileHandler(path, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(GlogFormatter())
        root.addHandler(handler)
    return path


def _open(program: str, log_dir: Path) -> Path:
    """Start a log file and let ``<program>.INFO`` point to it."""
    log_dir.mkdir(parents=True, exist_ok=True)
    now = time.localtime()
    host = socket.gethostname()
    name = f"{program}.{host}.{getpass.getuser()}.log.INFO."
    path = log_dir / f"{name}{time.strftime('%Y%m%d-%H%M%S', now)}.{os.getpid()}"
    path.write_text(
        f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S', now)}\n"
        f"Running on machine: {host}\n"
        "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
    )
    link = log_dir / f"{program}.INFO"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)
    return path
