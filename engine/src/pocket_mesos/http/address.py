"""Where a daemon listens, and what it tells others about that."""

import ipaddress
import socket
from dataclasses import dataclass

from pocket_mesos.flags import CommonFlags
from pocket_mesos.protocol.errors import PocketError

ANY = "0.0.0.0"


class AddressNotFoundError(PocketError):
    """The operator's host name, or this host's own, has no IPv4 address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A daemon's address."""

    bind_ip: str
    ip: str
    """What others are told."""
    hostname: str


def find(flags: CommonFlags) -> Address:
    """Find a daemon's address by its flags ip, advertise_ip, hostname and hostname_lookup.

    Raises:
        AddressNotFoundError: a name does not resolve; says what to set.
    """
    bind_ip = flags.ip or ANY
    ip = flags.advertise_ip or (flags.ip if flags.ip not in (None, ANY) else None) or own_ip()
    return Address(bind_ip=bind_ip, ip=ip, hostname=flags.hostname or _hostname(flags, ip))


def _hostname(flags: CommonFlags, ip: str) -> str:
    if not flags.hostname_lookup:
        return ip
    try:
        return socket.gethostbyaddr(ip)[0]
    except OSError:
        return ip


def own_ip() -> str:
    """Return the address that this host's name stands for."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError as error:
        raise AddressNotFoundError(
            f"Failed to obtain the IP address for '{socket.gethostname()}': {error}; set --ip"
        ) from error


def resolve(name: str) -> str:
    """Turn a host name into an IPv4 address; an address stays as it is.

    Raises:
        AddressNotFoundError: it does not resolve.
    """
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        pass
    else:
        return name
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        raise AddressNotFoundError(f"Failed to resolve '{name}': {error}") from error
