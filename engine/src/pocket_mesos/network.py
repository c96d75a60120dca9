"""Addresses of this host: which one to tell others, and by which name."""

import socket


def resolve(host: str) -> str:
    """Return the IPv4 address of a host name.

    Raises:
        OSError: the name is unknown.
    """
    return socket.gethostbyname(host)


def own_address() -> str:
    """Return the address that this host's name stands for, as Mesos does without ``--ip``."""
    try:
        return resolve(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def host_name(address: str, *, lookup: bool) -> str:
    """Return the name of an address, or the address itself if there is none."""
    if not lookup:
        return address
    try:
        return socket.getnameinfo((address, 0), 0)[0]
    except OSError:
        return address
