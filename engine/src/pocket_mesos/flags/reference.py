"""The reference of all flags, derived from their declarations: ``docs/flags.md``."""

import sys
from collections.abc import Iterator
from typing import Any

from pocket_mesos.flags.agent import AgentFlags
from pocket_mesos.flags.base import Flag, Flags, Rule
from pocket_mesos.flags.common import CommonFlags
from pocket_mesos.flags.local import LocalFlags
from pocket_mesos.flags.master import MasterFlags

_HEAD = """# Flags

Made by `scripts/flag-docs` from `engine/src/pocket_mesos/flags/`: change those, then run it.
`--help` prints the same.

On the command line `--name=value`, or `--name` and `--no-name` for what is true or false; in the
environment `MESOS_NAME=value`. The command line goes first. `file:///path` stands for a value in a
file, but where a path is wanted. An unknown flag on the command line stops the start, an unknown
variable does not. What is "known to Mesos, absent here" stops the start too, and says so, unless
it is given Mesos' default.

A duration is a number and `ns`, `us`, `ms`, `secs`, `mins`, `hrs`, `days` or `weeks`; a size is a
whole number and `B`, `KB`, `MB`, `GB` or `TB`.
"""

_PARTS: tuple[tuple[str, type[Flags], type[Flags] | None], ...] = (
    ("Master and agent", CommonFlags, None),
    ("mesos-master", MasterFlags, CommonFlags),
    ("mesos-agent", AgentFlags, CommonFlags),
    ("mesos-local", LocalFlags, None),
)
"""Titles, the flags, and those that were shown above."""


def document() -> str:
    """Return the reference in Markdown."""
    return "\n".join([_HEAD, *(line for part in _PARTS for line in _part(*part))])


def _part(title: str, flags: type[Flags], shown: type[Flags] | None) -> Iterator[str]:
    above = {} if shown is None else shown.declared()
    own = [one for name, one in flags.declared().items() if above.get(name) is not one]
    yield f"## {title}\n"
    yield "| Flag | Values | Default | Meaning |"
    yield "|---|---|---|---|"
    yield from (_row(one) for one in own if not one.lacking)
    yield ""
    lacking = [one for one in own if one.lacking]
    if lacking:
        yield "Known to Mesos, absent here:\n"
        yield "| Flag | Values | Mesos' default | About |"
        yield "|---|---|---|---|"
        yield from (_row(one) for one in lacking)
        yield ""


def _row(one: Flag[Any]) -> str:
    name = f"`{one.name}`" + (f", formerly `{one.alias}`" if one.alias else "")
    cells = (name, _values(one), _default(one), one.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(one: Flag[Any]) -> str:
    rule = one.validator
    return f"{one.type.name}: {rule.allowed}" if isinstance(rule, Rule) else one.type.name


def _default(one: Flag[Any]) -> str:
    if one.required:
        return "none: must be given"
    if one.default is None:
        return "none"
    shown = one.type.show(one.default)
    return f"`{shown}`" if shown else "empty"


if __name__ == "__main__":
    sys.stdout.write(document())
