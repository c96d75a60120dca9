"""The flags of mesos-local."""

from pocket_mesos.flags.base import Flags, flag, optional
from pocket_mesos.flags.common import one_of, port_number
from pocket_mesos.flags.types import BOOLEAN, INTEGER, PATH, STRING


def _some(value: int) -> str | None:
    return None if 1 <= value <= 50 else f"expected 1 to 50, got {value}"


class LocalFlags(Flags):
    """Flags of mesos-local; those of master and agents come in as MESOS_* variables."""

    program = "mesos-local"

    help = flag(BOOLEAN, False, "Prints this help message")
    version = flag(BOOLEAN, False, "Show version and exit.")
    num_slaves = flag(INTEGER, 1, "Number of agents.", validator=_some)
    ip = flag(STRING, "127.0.0.1", "Address that all listen on.")
    port = flag(
        INTEGER,
        5050,
        "Port of the master; agents take the ports above it. With 0 all are chosen freely.",
        validator=port_number,
    )
    work_dir = optional(
        PATH, "Folder for everything. By default a temporary one, removed at the end."
    )
    resources = optional(
        STRING, "Resources of each agent. By default the machine's, divided among the agents."
    )
    logging_level = flag(
        STRING,
        "WARNING",
        "Log messages at or above this level: INFO, WARNING or ERROR.",
        validator=one_of("INFO", "WARNING", "ERROR"),
    )
