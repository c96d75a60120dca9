"""The master's flags."""

from pocket_mesos.flags.base import allows, flag, optional, required, unsupported
from pocket_mesos.flags.common import (
    CommonFlags,
    basic_alone,
    one_of,
    port_number,
    positive,
)
from pocket_mesos.flags.types import (
    ADDRESS,
    BOOLEAN,
    BYTES,
    DURATION,
    INTEGER,
    NUMBER,
    PATH,
    SECRET_PATH,
    STRING,
    parse_rate,
)
from pocket_mesos.resources import ParseError, parse_resources


@allows("1secs to 15mins")
def _ping_timeout(seconds: float) -> str | None:
    return None if 1 <= seconds <= 900 else "expected between 1secs and 15mins"


@allows("at least 10mins")
def _at_least_ten_minutes(seconds: float) -> str | None:
    return None if seconds >= 600 else "expected at least 10mins"


@allows("resources by `;`, alternatives by `|`")
def _quantities(text: str) -> str | None:
    try:
        for alternative in text.split("|"):
            parse_resources(alternative)
    except ParseError as error:
        return str(error)
    return None


@allows("a number and a duration, such as `2/10mins`")
def _rate(text: str) -> str | None:
    try:
        parse_rate(text)
    except ValueError as error:
        return str(error)
    return None


@allows("zero or more")
def _not_negative(value: int) -> str | None:
    return None if value >= 0 else f"expected zero or more, got {value}"


class MasterFlags(CommonFlags):
    """Flags of mesos-master."""

    program = "mesos-master"

    # --- election, registry ----------------------------------------------------------------

    port = flag(INTEGER, 5050, "Port to listen on.", validator=port_number)
    zk = optional(
        ADDRESS,
        "ZooKeeper URL for leader election: `zk://host1:port1,host2:port2,.../path`, "
        "`zk://username:password@host1:port1,.../path` or `file:///path/to/file` with one of "
        "these inside. Not required in standalone mode.",
    )
    quorum = optional(
        INTEGER,
        "Size of the quorum of replicas, a majority of the masters. Required along with `--zk` "
        "as in Mesos; here ZooKeeper keeps the registry, and its own majority counts.",
        validator=positive,
    )
    work_dir = required(PATH, "Folder for what the master keeps on disk.")
    cluster = optional(STRING, "Human readable name of the cluster, shown by /state.")
    registry = flag(
        STRING,
        "replicated_log",
        "Where the registry is kept: replicated_log or in_memory. Pocket Mesos has no log of its "
        "own: with the former, the registry is in ZooKeeper, beside the election, or without "
        "`--zk` in the file `registry.sqlite` of `work_dir`.",
        validator=one_of("replicated_log", "in_memory"),
    )
    registry_strict = unsupported(BOOLEAN, False, "Whether only agents of the registry may return.")
    registry_fetch_timeout = flag(
        DURATION, 60.0, "Time within which the registry must be read.", validator=positive
    )
    registry_store_timeout = flag(
        DURATION, 20.0, "Time within which the registry must be written.", validator=positive
    )
    registry_gc_interval = flag(
        DURATION, 900.0, "How often to discard old entries of the registry.", validator=positive
    )
    registry_max_agent_age = flag(
        DURATION, 1_209_600.0, "How long unreachable and gone agents are remembered."
    )
    registry_max_agent_count = flag(
        INTEGER, 102400, "How many unreachable and gone agents are remembered."
    )
    log_auto_initialize = flag(
        BOOLEAN, True, "Accepted for compatibility: there is no replicated log to initialize."
    )
    master_contender = unsupported(STRING, None, "Contender module.")
    master_detector = unsupported(STRING, None, "Detector module.")

    # --- agents ----------------------------------------------------------------------------

    agent_ping_timeout = flag(
        DURATION,
        15.0,
        "Time within which an agent must answer a ping. An agent that misses "
        "`max_agent_ping_timeouts` of them is marked unreachable.",
        validator=_ping_timeout,
        alias="slave_ping_timeout",
    )
    max_agent_ping_timeouts = flag(
        INTEGER,
        5,
        "Number of pings that an agent may miss.",
        validator=positive,
        alias="max_slave_ping_timeouts",
    )
    agent_reregister_timeout = flag(
        DURATION,
        600.0,
        "Time within which agents must register again after a leader change; at least 10mins.",
        validator=_at_least_ten_minutes,
        alias="slave_reregister_timeout",
    )
    agent_removal_rate_limit = optional(
        STRING,
        "Most agents that are marked unreachable in a time, such as `1/10mins`: those that miss "
        "their pings and those that do not return after a leader change. The others wait; one "
        "that answers meanwhile is kept.",
        validator=_rate,
        alias="slave_removal_rate_limit",
    )
    recovery_agent_removal_limit = flag(
        STRING,
        "100%",
        "Share of the agents that may be removed after a leader change.",
        alias="recovery_slave_removal_limit",
    )
    max_executors_per_agent = unsupported(
        INTEGER, None, "Number of executors per agent.", alias="max_executors_per_slave"
    )
    require_agent_domain = unsupported(BOOLEAN, False, "Whether agents need a fault domain.")
    whitelist = unsupported(PATH, None, "File with the agents to offer.")

    # --- allocation ------------------------------------------------------------------------

    allocation_interval = flag(DURATION, 1.0, "Time between batch allocations.", validator=positive)
    allocator = flag(
        STRING,
        "hierarchical",
        "Allocator: hierarchical (HierarchicalDRF is its older name).",
        validator=one_of("hierarchical", "HierarchicalDRF"),
    )
    allocator_agent_recovery_factor = flag(
        NUMBER, 0.8, "Share of known agents to wait for before offers resume after a failover."
    )
    allocator_recovery_timeout = flag(
        DURATION, 600.0, "Longest time to wait for agents before offers resume after a failover."
    )
    role_sorter = flag(STRING, "drf", "Sorter of roles: drf.", validator=one_of("drf"))
    framework_sorter = flag(
        STRING, "drf", "Sorter of a role's frameworks: drf.", validator=one_of("drf")
    )
    min_allocatable_resources = flag(
        STRING,
        "cpus:0.01|mem:32",
        "Least resources worth an offer: alternatives by `|`, each a list by `;`.",
        validator=_quantities,
    )
    fair_sharing_excluded_resource_names = optional(
        STRING, "Resources, by comma, that count for nobody's share."
    )
    filter_gpu_resources = flag(
        BOOLEAN,
        True,
        "Whether agents with GPUs are offered only to frameworks that have GPU_RESOURCES.",
    )
    offer_timeout = optional(
        DURATION,
        "Time after which an unanswered offer is rescinded. By default offers do not expire.",
        validator=positive,
    )
    roles = optional(
        STRING, "Roles, by comma, that frameworks may have. Deprecated: any by default."
    )
    weights = optional(
        STRING, "Weights as `role=weight,role=weight`. Deprecated in favour of /weights."
    )
    offer_constraints_re2_max_mem = flag(
        BYTES, 4096, "Accepted for compatibility: memory of an offer constraint's expression."
    )
    offer_constraints_re2_max_program_size = flag(
        INTEGER, 100, "Accepted for compatibility: size of an offer constraint's expression."
    )

    # --- frameworks ------------------------------------------------------------------------

    root_submissions = flag(BOOLEAN, True, "Whether frameworks may run as root.")
    max_completed_frameworks = flag(
        INTEGER, 50, "Completed frameworks to remember.", validator=_not_negative
    )
    max_completed_tasks_per_framework = flag(
        INTEGER, 1000, "Completed tasks to remember per framework.", validator=_not_negative
    )
    max_unreachable_tasks_per_framework = flag(
        INTEGER, 1000, "Unreachable tasks to remember per framework.", validator=_not_negative
    )
    max_operator_event_stream_subscribers = flag(
        INTEGER, 1000, "Subscribers of the operator event stream.", validator=positive
    )
    publish_per_framework_metrics = flag(
        BOOLEAN, True, "Whether /metrics/snapshot shows each framework."
    )
    rate_limits = unsupported(STRING, None, "Rate limits of frameworks, as JSON.")

    # --- authentication, web UI ------------------------------------------------------------

    authenticate_agents = flag(
        BOOLEAN,
        False,
        "Whether agents must show a credential (their flag `--credential`).",
        alias="authenticate_slaves",
    )
    authenticate_frameworks = flag(
        BOOLEAN,
        False,
        "Accepted for compatibility: it is about frameworks on the old driver, which can't "
        "register here at all. For others see `authenticate_http_frameworks`.",
        alias="authenticate",
    )
    authenticate_http_frameworks = flag(
        BOOLEAN,
        False,
        "Whether frameworks must authenticate; needs `http_framework_authenticators`.",
    )
    authentication_v0_timeout = flag(
        DURATION, 15.0, "Accepted for compatibility: timeout of the old API's authentication."
    )
    authenticators = unsupported(STRING, "crammd5", "Authenticator of the old API.")
    authorizers = unsupported(STRING, "local", "Authorizer.")
    credentials = optional(
        SECRET_PATH,
        'File with the accepted credentials, as JSON `{"credentials": [{"principal": "p", '
        '"secret": "s"}]}` or as lines `p s`. It should be readable for the master alone.',
    )
    http_authenticators = flag(
        STRING, "basic", "How endpoints are authenticated: basic.", validator=basic_alone
    )
    http_framework_authenticators = optional(
        STRING, "How frameworks are authenticated: basic.", validator=basic_alone
    )
    webui_dir = flag(
        PATH,
        PATH.parse("/usr/local/share/mesos/webui"),
        "Folder of the web page served at /.",
    )
