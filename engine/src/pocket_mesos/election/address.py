"""Where masters are found: ``zk://…/path`` or ``host:port``."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from pocket_mesos.protocol.errors import PocketError

_URL = re.compile(r"^zk://(?:(?P<auth>[^@/]*)@)?(?P<servers>[^/@]+)(?P<path>/.*)?$")


class AddressError(PocketError):
    """The operator's text is no address of masters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooKeeperAddress:
    """A ZooKeeper ensemble and the path of the election."""

    servers: str
    """``host1:port1,host2:port2``."""
    path: str
    """Absolute, without a slash at the end."""
    credentials: tuple[str, str] | None = None
    """User and password for ZooKeeper's digest scheme."""


def parse_zookeeper(text: str) -> ZooKeeperAddress:
    """Read ``zk://[user:password@]host1:port1,host2:port2,.../path``.

    Raises:
        AddressError: says what is missing.
    """
    found = _URL.match(text.strip())
    if found is None:
        raise AddressError(f"Expecting 'zk://host1:port1,host2:port2,.../path', got '{text}'")
    path = (found["path"] or "").rstrip("/")
    if not path:
        raise AddressError(f"Expecting a (chroot) path for ZooKeeper, such as /mesos, in '{text}'")
    credentials = None
    if found["auth"] is not None:
        user, colon, password = found["auth"].partition(":")
        if not (user and colon):
            raise AddressError("Expecting 'username:password@' before ZooKeeper's servers")
        credentials = (unquote(user), unquote(password))
    return ZooKeeperAddress(servers=found["servers"], path=path, credentials=credentials)


def parse_host(text: str, default_port: int = 5050) -> tuple[str, int]:
    """Read ``host``, ``host:port`` or ``master@host:port``.

    Raises:
        AddressError: no host or no port number.
    """
    host, colon, port = text.strip().removeprefix("master@").partition(":")
    if not host or (colon and not port.isdecimal()):
        raise AddressError(f"Expecting 'host:port', got '{text}'")
    return host, int(port) if colon else default_port
