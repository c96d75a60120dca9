"""What values of variables look like, for people and for preflight's check."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """How a value may look: in words, and as a test."""

    allowed: str
    fits: Callable[[Any], bool]


def matches(pattern: str, value: Any) -> bool:
    """Tell whether a value, as text, is what the pattern describes, from end to end."""
    return re.fullmatch(pattern, str(value), re.ASCII) is not None


def number(low: int, high: int, value: Any) -> bool:
    """Tell whether a value, maybe given as text, is a whole number within bounds."""
    return matches(r"-?\d+", value) and low <= int(value) <= high


def is_address(value: Any) -> bool:
    """Tell whether a value is an IPv4 address."""
    try:
        return bool(ipaddress.IPv4Address(str(value)))
    except ValueError:
        return False


def is_network(value: Any) -> bool:
    """Tell whether a value is a private network in which a lab finds place."""
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError:
        return False
    return network.is_private and 16 <= network.prefixlen <= 24


def is_resources(value: Any) -> bool:
    """Tell whether a value is Mesos' flag resources, in either of its notations."""
    if str(value).startswith("["):
        return is_json_list(str(value))
    return all(matches(_RESOURCE, part.strip()) for part in str(value).rstrip(";").split(";"))


def is_json_list(text: str) -> bool:
    """Tell whether a text is a list of objects in JSON."""
    try:
        entries = json.loads(text)
    except ValueError:
        return False
    return isinstance(entries, list) and all(isinstance(one, dict) for one in entries)


def is_isolation(value: Any) -> bool:
    """Tell whether each isolator of a list is one of Mesos', or a module's."""
    return all(name in ISOLATORS or matches(r"\w+_\w+", name) for name in str(value).split(","))


_ISOLATORS = {
    "appc": ("runtime",),
    "cgroups": (
        *("all", "blkio", "cpu", "cpuset", "devices", "hugetlb", "io", "mem", "net_cls"),
        *("net_prio", "perf_event", "pids"),
    ),
    "disk": ("du", "xfs"),
    "docker": ("runtime", "volume"),
    "filesystem": ("linux", "posix", "shared"),
    "gpu": ("nvidia",),
    "linux": ("capabilities", "devices", "nnp", "seccomp"),
    "namespaces": ("ipc", "pid"),
    "network": ("cni", "port_mapping", "ports"),
    "posix": ("cpu", "disk", "mem", "rlimits"),
    "volume": ("csi", "host_path", "image", "sandbox_path", "secret"),
}
ISOLATORS = {f"{family}/{name}" for family, names in _ISOLATORS.items() for name in names} | {
    *("cgroups", "posix", "environment_secret")
}
_SPANS = r"\[\s*\d+\s*-\s*\d+\s*(,\s*\d+\s*-\s*\d+\s*)*\]"
_RESOURCE = rf"\w[\w.-]*(\([\w.*/-]+\))?\s*:\s*(\d+(\.\d+)?|{_SPANS}|\{{[^{{}};]*\}})"
_ATTRIBUTE = rf"[\w.-]+:([\w.\-/+]+|{_SPANS})"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_ZK = rf"zk://([^\s:@/]+:[^\s@/]+@)?{_HOST}:\d+(,{_HOST}:\d+)*(/[^\s/]+)+"
_FINGERPRINT = r"([0-9A-Fa-f]\s*){40}|([0-9A-Fa-f]\s*){64}"


def _form(allowed: str, pattern: str) -> Form:
    return Form(allowed, partial(matches, pattern))


FORMS = {
    "text": _form("one line of text", r"[^\n\0]*[^\s\0][^\n\0]*"),
    "empty": _form("empty", ""),
    "port": Form("a port, 1 to 65535", partial(number, 1, 65535)),
    "address": Form("an IPv4 address", is_address),
    "network": Form("a private IPv4 network from /16 to /24 such as 172.28.10.0/24", is_network),
    "lab": _form("at most 32 small letters, digits and -", r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"),
    "host": _form("a host name or an address", _HOST),
    "path": _form("an absolute path without blanks", r"/[^\s\0]*"),
    "folder here": _form("a folder on the controller", r"[^\n\0]*[^\s\0][^\n\0]*"),
    "duration": _form(
        "a number with ns, us, ms, secs, mins, hrs, days or weeks, such as 10secs",
        r"\d+(\.\d+)?(ns|us|ms|secs|mins|hrs|days|weeks)",
    ),
    "span": _form("a time as Prometheus writes it, such as 30s", r"(\d+(ms|s|m|h|d|w|y))+"),
    "memory": _form("a number with k, m or g, such as 96m", r"[1-9]\d*[kKmMgG]"),
    "user": _form("a user's name of small letters, digits, _ and -", r"[a-z_][a-z0-9_-]{0,31}"),
    "principal": _form("a name of letters, digits, ., _ and -", r"[A-Za-z0-9._-]{1,64}"),
    "group": _form("a name of an inventory group", r"[A-Za-z_]\w*"),
    "package": _form("a name of a package", r"[A-Za-z0-9][A-Za-z0-9+._:=~-]*"),
    "unit": _form("a name of a systemd unit", r"[A-Za-z0-9@._-]+\.(service|timer|socket)"),
    "zk": _form("an address such as zk://host:2181,host:2181/mesos", _ZK),
    "master": _form(
        "an address such as zk://host:2181,host:2181/mesos or host:5050", rf"{_ZK}|{_HOST}:\d+"
    ),
    "url": _form("a URL such as https://host/path", r"[a-z][a-z0-9+]*://[^\s/]*/?[^\s/]\S*"),
    "checksum": _form("sha256: and 64 hexadecimal digits", r"sha256:[0-9a-f]{64}"),
    "checksum of 512 bits": _form("sha512: and 128 hexadecimal digits", r"sha512:[0-9a-f]{128}"),
    "release": _form("12 hexadecimal digits", r"[0-9a-f]{12}"),
    "fingerprint": _form("a fingerprint of 40 or 64 hexadecimal digits", _FINGERPRINT),
    "key": _form("an armoured public key", r"-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]+-----\s*"),
    "suite": _form("a word of letters, digits, /, ., _ and -", r"[A-Za-z0-9][A-Za-z0-9._/-]*"),
    "version": _form("a version such as 1.11.0", r"\d[A-Za-z0-9.+:~-]*"),
    "secret": _form("16 to 128 letters, digits, ., _ and -", r"[A-Za-z0-9._-]{16,128}"),
    "resources": Form(
        'resources such as "cpus:2;mem:1024;ports:[31000-32000]", or a list in JSON', is_resources
    ),
    "attributes": _form('attributes such as "rack:a;disk:ssd"', rf"{_ATTRIBUTE}(;{_ATTRIBUTE})*;?"),
    "isolation": Form("isolators of Mesos such as cgroups/cpu,cgroups/mem", is_isolation),
    "word": _form("four small letters", "[a-z]{4}"),
    "setting": _form("a name of letters, digits, dots, _ and -", r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "flag": _form("a flag of small letters, digits and _", r"[a-z][a-z0-9_]*"),
}
"""What roles/*/meta/values.yml may name; beside these, ranges of numbers such as 0.. and 1..255."""

ONCE = "folder here"
"""The controller's folders are the same for all hosts, and programs may be asked for them."""


def form(name: str) -> Form:
    """Return a form by its name, or by a range of numbers."""
    bounds = re.fullmatch(r"(-?\d+)\.\.(-?\d+)?", name)
    if not bounds:
        return FORMS[name]
    low, high = int(bounds[1]), int(bounds[2] or 2**63)
    words = f"from {low} to {high}" if bounds[2] else f"of at least {low}"
    return Form(f"a whole number {words}", partial(number, low, high))


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


TYPES = {
    "str": Form("text", _is_text),
    "path": Form("text", lambda value: isinstance(value, str)),
    "int": Form("a whole number", lambda value: _is_text(value) and matches(r"-?\d+", value)),
    "float": Form("a number", lambda value: _is_text(value) and matches(r"-?\d+(\.\d+)?", value)),
    # A text "false" counts as true wherever Jinja decides.
    "bool": Form(
        "true or false, not as text (on the command line: -e '{\"NAME\": true}')",
        lambda value: isinstance(value, bool),
    ),
    "list": Form("a list", lambda value: isinstance(value, list)),
    "dict": Form("a dictionary", lambda value: isinstance(value, Mapping)),
    "raw": Form("anything", lambda value: True),
}
"""The types that specs name; stricter than Ansible's own, which make text of nearly everything."""
