"""Finding the leading master, and this machine's address as seen from there.

PyMesos follows leaders by itself, but says little when there is none: so the address is looked at
first, and what is wrong with it is said.
"""

import contextlib
import http.client
import json
import socket
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from mapreduce.errors import ClusterError, UsageError

CONNECT_TIMEOUT = 5.0
"""Seconds for one master or ZooKeeper ensemble to answer."""

SERVER_TIMEOUT = 1.5
"""Seconds for one server of an ensemble, so that there is time for the others."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The leading master's address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """A master's address as the user gave it: `host:port`, or a zk:// URL."""

    text: str

    @property
    def zookeeper(self) -> bool:
        """Whether it names a ZooKeeper ensemble."""
        return self.text.startswith("zk://")

    @property
    def for_pymesos(self) -> str:
        """The form that PyMesos takes; it knows no credentials, and reading needs none."""
        if not self.zookeeper:
            return self.text
        hosts, path = self.ensemble()
        return f"zk://{hosts}{path}"

    def ensemble(self) -> tuple[str, str]:
        """Return the ensemble's hosts and the path."""
        rest = self.text.removeprefix("zk://").rpartition("@")[2]
        hosts, slash, path = rest.partition("/")
        return hosts, slash + path.rstrip("/")

    def check(self) -> None:
        """Raise UsageError unless the form is right."""
        if self.zookeeper:
            hosts, path = self.ensemble()
            right = bool(hosts) and len(path) > 1
        else:
            host, _, port = self.text.rpartition(":")
            right = bool(host) and "/" not in host and port.isdigit() and int(port) < 65536
        if not right:
            raise UsageError(
                f"{self.text!r} is no master's address: give host:port, or "
                "zk://host:2181,host:2181/path."
            )


class NoLeaderError(ClusterError):
    """No leader for now: an election may be under way."""


def find(address: Address, wait: float, say: Callable[[str], None]) -> Leader:
    """Return the leader, waiting up to `wait` seconds while an election may be under way.

    Raises ClusterError when nothing answers at the address, or no leader comes up in time.
    """
    deadline = time.monotonic() + wait
    said = False
    while True:
        try:
            return _of_zookeeper(address) if address.zookeeper else _of_master(address.text)
        except NoLeaderError as error:
            if time.monotonic() >= deadline:
                raise ClusterError(f"{error} Waited {wait:.0f} seconds.") from error
            if not said:
                say(f"{error} Waiting up to {wait:.0f} seconds for one.")
                said = True
        time.sleep(0.3)


def _of_master(text: str) -> Leader:
    """Return the leader that the master at host:port names."""
    host, _, port = text.rpartition(":")
    try:
        status, location = _get(host.strip("[]"), int(port), "/redirect")
    except (OSError, http.client.HTTPException) as error:
        raise ClusterError(f"No Mesos master answers at {text}: {_reason(error)}.") from error
    if status == http.client.SERVICE_UNAVAILABLE:
        raise NoLeaderError(f"The master at {text} knows of no leader.")
    named = urllib.parse.urlsplit(location)
    if status != http.client.TEMPORARY_REDIRECT or named.hostname is None or named.port is None:
        raise ClusterError(f"What answers at {text} is no Mesos master (HTTP {status}).")
    with contextlib.suppress(OSError):
        if socket.gethostbyname(named.hostname) == socket.gethostbyname(host):
            # The same machine under the name that is known to work.
            return Leader(host, named.port)
    return Leader(named.hostname, named.port)


def _of_zookeeper(address: Address) -> Leader:
    """Return the leader that the ensemble names, if that one answers."""
    hosts, path = address.ensemble()
    leader = _read_leader(hosts, path)
    try:
        _get(leader.host, leader.port, "/version")
    except (OSError, http.client.HTTPException) as error:
        raise NoLeaderError(
            f"The leader that {address.text} names, {leader}, does not answer: {_reason(error)}."
        ) from error
    return leader


def _read_leader(hosts: str, path: str) -> Leader:
    from kazoo.client import KazooClient
    from kazoo.exceptions import KazooException, NoNodeError
    from kazoo.handlers.threading import KazooTimeoutError

    client = KazooClient(hosts=hosts, timeout=SERVER_TIMEOUT)
    try:
        client.start(timeout=CONNECT_TIMEOUT)
        contenders = [name for name in client.get_children(path) if name.startswith("json.info_")]
        if not contenders:
            raise NoLeaderError(f"No master is leading at zk://{hosts}{path}.")
        data, _ = client.get(f"{path}/{min(contenders)}")
        found = json.loads(data)["address"]
        return Leader(found["ip"], int(found["port"]))
    except KazooTimeoutError as error:
        raise ClusterError(f"No ZooKeeper answers at {hosts}.") from error
    except NoNodeError as error:
        # The path, or a leader that left between the two questions.
        raise NoLeaderError(f"No master is leading at zk://{hosts}{path}.") from error
    except KazooException as error:
        raise ClusterError(
            f"ZooKeeper at {hosts} did not tell the leader of {path}: "
            f"{type(error).__name__} {error}".rstrip()
        ) from error
    finally:
        client.stop()
        client.close()


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.getheader("Location", "")
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or type(error).__name__)


def own_address(leader: Leader) -> str:
    """Return the address of this machine on the route to the leader: where agents call back."""
    family, _, _, _, target = socket.getaddrinfo(leader.host, leader.port, type=socket.SOCK_DGRAM)[
        0
    ]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(target)  # sends nothing
        return str(probe.getsockname()[0])


def is_local(leader: Leader) -> bool:
    """Whether the leader is on this machine alone, as `mesos-local` is."""
    return own_address(leader).startswith("127.")
