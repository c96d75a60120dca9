"""Flags that the master and the agent share."""

from pocket_mesos.flags.base import Flags, Rule, allows, flag, optional, unsupported
from pocket_mesos.flags.types import ACLS, BOOLEAN, DURATION, INTEGER, PATH, STRING


def one_of(*choices: str) -> Rule[str]:
    """Make a validator that accepts only ``choices``."""

    @allows(" or ".join(f"`{choice}`" for choice in choices))
    def check(value: str) -> str | None:
        return None if value in choices else f"expected one of {', '.join(choices)}, got '{value}'"

    return check


@allows("`basic`")
def basic_alone(value: str) -> str | None:
    """Refuse HTTP authenticators other than the built-in one."""
    if value == "basic":
        return None
    return (
        f"HTTP authenticator '{value}' not found. Check the spelling (compare to 'basic'): "
        "Pocket Mesos has no modules"
    )


@allows("more than zero")
def positive(value: float) -> str | None:
    """Refuse zero and less."""
    return None if value > 0 else f"expected a value greater than zero, got {value:g}"


@allows("0 to 65535")
def port_number(value: int) -> str | None:
    """Refuse what is no TCP port; 0 lets the system choose."""
    return None if 0 <= value <= 65535 else f"expected a port from 0 to 65535, got {value}"


class CommonFlags(Flags):
    """Where to listen, what to tell others, where to log."""

    help = flag(BOOLEAN, False, "Prints this help message")
    version = flag(BOOLEAN, False, "Show version and exit.")

    ip = optional(
        STRING,
        "IP address to listen on. Cannot be used along with `--ip_discovery_command`.",
    )
    ip_discovery_command = unsupported(
        STRING, None, "Command that prints the address to listen on."
    )
    advertise_ip = optional(
        STRING,
        "IP address that others are told to use. The daemon does not bind to it.",
    )
    advertise_port = optional(
        INTEGER,
        "Port that others are told to use, along with `advertise_ip`.",
        validator=port_number,
    )
    hostname = optional(
        STRING,
        "Host name to advertise. If left unset, it is resolved from the IP address, unless "
        "`--no-hostname_lookup` is given, in which case the address itself is used.",
    )
    hostname_lookup = flag(
        BOOLEAN, True, "Whether to look the host name up when `--hostname` is not given."
    )
    zk_session_timeout = flag(DURATION, 10.0, "ZooKeeper session timeout.", validator=positive)

    log_dir = optional(
        PATH,
        "Folder for log files, which /files/ then shows. By default nothing is written to disk. "
        "Does not affect logging to stderr.",
    )
    external_log_file = optional(
        PATH, "Log file that somebody else writes, to be shown by /files/ instead of log_dir's."
    )
    logging_level = flag(
        STRING,
        "INFO",
        "Log messages at or above this level: INFO, WARNING or ERROR.",
        validator=one_of("INFO", "WARNING", "ERROR"),
    )
    quiet = flag(BOOLEAN, False, "Disable logging to stderr.")
    logbufsecs = flag(
        INTEGER, 0, "Accepted for compatibility: Pocket Mesos flushes every log line at once."
    )
    initialize_driver_logging = flag(
        BOOLEAN, True, "Accepted for compatibility: HTTP frameworks and executors log themselves."
    )
    memory_profiling = unsupported(BOOLEAN, False, "Whether to support heap profiling.")

    acls = optional(
        ACLS,
        "Access control lists as JSON, or `file:///path/to/file` with them. Without the flag "
        "everybody may do everything; with it /flags, /state and the like show and do what the "
        "lists grant to the principal that asks.",
    )
    authenticate_http_readonly = flag(
        BOOLEAN, False, "Whether endpoints that read require authentication."
    )
    authenticate_http_readwrite = flag(
        BOOLEAN,
        False,
        "Whether endpoints that change something, and the operator API, require authentication.",
        alias="authenticate_http",
    )
    domain = unsupported(STRING, None, "Fault domain of this daemon.")
    firewall_rules = unsupported(STRING, None, "Endpoints to disable, as JSON.")
    hooks = unsupported(STRING, None, "Hook modules to install.")
    modules = unsupported(STRING, None, "Modules to load.")
    modules_dir = unsupported(PATH, None, "Folder of module manifests.")
