"""Log lines in glog's form, to stderr and to files that /files/ shows."""

import getpass
import logging
import os
import socket
import sys
import time
from pathlib import Path

_LETTERS = {"DEBUG": "I", "INFO": "I", "WARNING": "W", "ERROR": "E", "CRITICAL": "F"}


class _GlogFormatter(logging.Formatter):
    """``I1122 06:51:16.181032  3153 core.py:57] message``."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.localtime(record.created)
        micros = int(record.created % 1 * 1_000_000)
        head = (
            f"{_LETTERS.get(record.levelname, 'I')}{time.strftime('%m%d %H:%M:%S', clock)}"
            f".{micros:06d} {record.process or 0:5d} {record.filename}:{record.lineno}] "
        )
        text = head + record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def start(
    program: str, *, level: str = "INFO", quiet: bool = False, log_dir: Path | None = None
) -> Path | None:
    """Begin to log.

    Args:
        program: name in the log file's name, such as ``mesos-master``.
        level: least level that is logged.
        quiet: whether stderr stays silent.
        log_dir: folder for a log file, made if it is missing.

    Returns:
        The log file, if there is one.

    Raises:
        OSError: the folder can't be made or written.
    """
    handlers: list[logging.Handler] = [] if quiet else [logging.StreamHandler(sys.stderr)]
    path = None
    if log_dir is not None:
        path = _open_file(program, log_dir)
        handlers.append(logging.FileHandler(path, encoding="utf-8"))
    if not handlers:
        handlers.append(logging.NullHandler())
    for handler in handlers:
        handler.setFormatter(_GlogFormatter())
    logging.basicConfig(level=getattr(logging, level), handlers=handlers, force=True)
    logging.getLogger("kazoo").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    return path


def _open_file(program: str, log_dir: Path) -> Path:
    """Start a log file with glog's name and head, and point ``<program>.INFO`` to it."""
    log_dir.mkdir(parents=True, exist_ok=True)
    began = time.localtime()
    user = _user()
    host = socket.gethostname()
    stamp = time.strftime("%Y%m%d-%H%M%S", began)
    path = log_dir / f"{program}.{host}.{user}.log.INFO.{stamp}.{os.getpid()}"
    path.write_text(
        f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S', began)}\n"
        f"Running on machine: {host}\n"
        "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n",
        encoding="utf-8",
    )
    link = log_dir / f"{program}.INFO"
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)
    return path


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
