"""Credentials of clusters that this installation knows, each for that cluster's addresses only.

The file is `etc/mapreduce.ini` of the virtual environment, or what MAPREDUCE_CONFIG names. Whoever
sets up a cluster writes a section for it; the section's name means nothing:

    [my-cluster]
    masters = zk://10.0.0.1:2181,10.0.0.2:2181/mesos 10.0.0.1:5050 10.0.0.2:5050
    principal = mapreduce
    secret = ...
"""

import configparser
import os
import stat
import sys
from pathlib import Path
from typing import TypeAlias

from mapreduce.errors import UsageError
from mapreduce.scheduler.leader import Address

VARIABLE = "MAPREDUCE_CONFIG"
_KEYS = ("masters", "principal", "secret")

_Known: TypeAlias = tuple[frozenset[str], str]


def find(master: Address) -> tuple[str, str] | None:
    """Return principal and secret for the cluster at this address, if it is a known one's.

    A file that this user may not read is somebody else's: nothing is known then. Raises UsageError
    for one that cannot be used, or that others may read.
    """
    named = os.environ.get(VARIABLE)
    path = Path(named or Path(sys.prefix) / "etc" / "mapreduce.ini")
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except PermissionError:
        return None
    except FileNotFoundError:
        if named:
            raise UsageError(f"There is no file {named!r}, which {VARIABLE} names.") from None
        return None
    except (OSError, UnicodeError) as error:
        raise UsageError(f"The settings {str(path)!r} cannot be read: {error}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"The settings {str(path)!r} hold secrets and can be read by others: chmod 600 them."
        )
    return _look_up(content, path, _place(master))


def _look_up(content: str, path: Path, place: _Known) -> tuple[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(content)
    except configparser.Error:
        # The error's own text repeats lines, and with them secrets.
        raise UsageError(f"The settings {str(path)!r} are no .ini file.") from None
    for name in parser.sections():
        section = parser[name]
        if missing := [key for key in _KEYS if not section.get(key)]:
            raise UsageError(f"The settings {str(path)!r} lack {missing[0]!r} in [{name}].")
        if place in [_place(Address(text)) for text in section["masters"].split()]:
            return section["principal"], section["secret"]
    return None


def _place(master: Address) -> _Known:
    """Return what an address comes to, however it is written: servers in any order, and path."""
    if not master.zookeeper:
        return frozenset({master.text}), ""
    hosts, path = master.ensemble()
    return frozenset(hosts.split(",")), path
