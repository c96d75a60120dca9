"""The agent's flags."""

import json

from pocket_mesos.containerizer import devices
from pocket_mesos.flags.base import allows, flag, optional, required, unsupported
from pocket_mesos.flags.common import (
    basic_alone,
    one_of,
    port_number,
    positive,
)
from pocket_mesos.flags.lacking import LackingAgentFlags
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
)
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import ContainerInfo
from pocket_mesos.resources import (
    ParseError,
    is_empty,
    parse_attributes,
    parse_resources,
    validate,
)


@allows("resources")
def _resources(text: str) -> str | None:
    try:
        return validate(one for one in parse_resources(text) if not is_empty(one))
    except ParseError as error:
        return str(error)


@allows("attributes")
def _attributes(text: str) -> str | None:
    try:
        parse_attributes(text)
    except ParseError as error:
        return str(error)
    return None


@allows("a JSON object of texts")
def _environment(text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"expected a JSON object of strings: {error}"
    if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
        return None
    return "expected a JSON object of strings"


@allows("devices and what may be done with them, as JSON")
def _devices(text: str) -> str | None:
    try:
        devices.parse(text)
    except ValueError as error:
        return str(error)
    return None


@allows("a ContainerInfo of type MESOS, as JSON")
def _container_info(text: str) -> str | None:
    try:
        info = codec.decode(text.encode(), ContainerInfo, "ContainerInfo")
    except ProtocolError as error:
        return str(error)
    return None if info.type == "MESOS" else "expected a ContainerInfo of type MESOS"


@allows("0 to 1")
def _share(value: float) -> str | None:
    return None if 0 <= value <= 1 else f"expected a number from 0 to 1, got {value:g}"


class AgentFlags(LackingAgentFlags):
    """Flags of mesos-agent."""

    program = "mesos-agent"

    # --- master, identity --------------------------------------------------------------------

    master = required(
        ADDRESS,
        "Where the master is: `host:port`, `zk://host1:port1,host2:port2,.../path`, "
        "`zk://username:password@host1:port1,.../path`, or `file:///path/to/file` with one of "
        "these inside.",
    )
    port = flag(INTEGER, 5051, "Port to listen on.", validator=port_number)
    resources = optional(
        STRING,
        "Resources to offer, as `name(role):value;name:value` or as a JSON array of Resource "
        "objects; what is not named (cpus, mem, disk, ports) is detected.",
        validator=_resources,
    )
    attributes = optional(
        STRING, "Attributes of the machine, as `rack:2;u:1`.", validator=_attributes
    )
    default_role = flag(STRING, "*", "Role of resources that name none.")
    registration_backoff_factor = flag(
        DURATION,
        1.0,
        "The agent waits a random time of up to this before it registers, then up to twice as "
        "long each time, at most 1mins.",
        validator=positive,
    )
    reconfiguration_policy = flag(
        STRING,
        "equal",
        "Which changes of the configuration an agent with a checkpointed state accepts: equal "
        "(none) or additive (more resources, more attributes).",
        validator=one_of("equal", "additive"),
    )

    # --- folders -----------------------------------------------------------------------------

    work_dir = required(PATH, "Folder for sandboxes and for what must survive a restart.")
    runtime_dir = flag(
        PATH,
        PATH.parse("/var/run/mesos"),
        "Folder for what need not survive a reboot of the machine.",
    )
    launcher_dir = optional(
        PATH,
        "Folder of the helper programs mesos-executor and mesos-fetcher; by default libexec/mesos "
        "of Pocket's own environment.",
    )
    frameworks_home = flag(
        STRING, "", "Folder below which relative paths of executors' URIs are looked up."
    )
    gc_delay = flag(
        DURATION, 604800.0, "How long folders of what has ended are kept.", validator=positive
    )
    gc_disk_headroom = flag(
        NUMBER,
        0.1,
        "Share of the disk to keep free: folders are kept gc_delay * "
        "max(0, 1 - gc_disk_headroom - share of the disk in use).",
        validator=_share,
    )
    disk_watch_interval = flag(
        DURATION, 60.0, "How often the disk's use is looked at for gc_delay.", validator=positive
    )
    gc_non_executor_container_sandboxes = unsupported(
        BOOLEAN, False, "Whether sandboxes of nested containers are removed by themselves."
    )
    sandbox_directory = flag(
        PATH, PATH.parse("/mnt/mesos/sandbox"), "Where a container with an image has its sandbox."
    )

    # --- containers --------------------------------------------------------------------------

    containerizers = unsupported(STRING, "mesos", "Containerizers to use.")
    launcher = optional(
        STRING,
        "How containers' processes are held together: linux (cgroups) or posix (sessions). "
        "Default: linux for root where there are cgroups, else posix.",
        validator=one_of("linux", "posix"),
    )
    isolation = flag(
        STRING,
        "posix/cpu,posix/mem",
        "Isolators, with commas: posix/cpu, posix/mem, posix/rlimits, disk/du, filesystem/posix, "
        "filesystem/linux, namespaces/pid, namespaces/ipc, cgroups/cpu, cgroups/mem, cgroups/pids, "
        "cgroups/cpuset, cgroups/devices, cgroups/blkio (on cgroup v2: cgroups/io), or cgroups/all "
        "for all of cgroups/* that the machine has.",
    )
    allowed_devices = optional(
        STRING,
        "Devices that containers may use beyond Mesos' list, for the isolator cgroups/devices: "
        '`{"allowed_devices": [{"device": {"path": "/dev/fuse"}, "access": {"read": true}}]}`.',
        validator=_devices,
    )
    default_container_info = optional(
        STRING,
        "ContainerInfo as JSON for executors that have none, such as a private /tmp with the "
        'isolator filesystem/linux: `{"type": "MESOS", "volumes": [{"host_path": ".private/tmp", '
        '"container_path": "/tmp", "mode": "RW"}]}`.',
        validator=_container_info,
    )
    default_container_shm_size = optional(
        BYTES, "Size of a private /dev/shm that names none, for the isolator namespaces/ipc."
    )
    disallow_sharing_agent_ipc_namespace = flag(
        BOOLEAN, False, "Whether containers that want the agent's IPC namespace are refused."
    )
    disallow_sharing_agent_pid_namespace = flag(
        BOOLEAN, False, "Whether containers that want the agent's PID namespace are refused."
    )
    container_disk_watch_interval = flag(
        DURATION, 15.0, "How often the isolator disk/du looks.", validator=positive
    )
    enforce_container_disk_quota = flag(
        BOOLEAN, False, "Whether the isolator disk/du ends containers over their disk resource."
    )
    cgroups_cpu_enable_pids_and_tids_count = flag(
        BOOLEAN, False, "Whether statistics count processes and threads."
    )
    cgroups_hierarchy = flag(PATH, PATH.parse("/sys/fs/cgroup"), "Where cgroups are mounted.")
    cgroups_root = flag(
        STRING, "mesos", "Name of the cgroup below which containers' cgroups are made."
    )
    cgroups_enable_cfs = flag(
        BOOLEAN, False, "Whether a container gets no more CPU than it was allotted."
    )
    cgroups_limit_swap = unsupported(BOOLEAN, False, "Whether memory limits include swap.")
    cgroups_destroy_timeout = flag(
        DURATION, 60.0, "Time within which a container's cgroups must be gone.", validator=positive
    )
    switch_user = flag(BOOLEAN, True, "Whether tasks run as their framework's or command's user.")
    executor_environment_variables = optional(
        STRING,
        'Environment of all executors, as JSON: `{"PATH": "/bin:/usr/bin"}`.',
        validator=_environment,
    )
    systemd_enable_support = flag(
        BOOLEAN, True, "Accepted for compatibility: the unit's KillMode=process keeps executors."
    )
    systemd_runtime_directory = flag(
        PATH, PATH.parse("/run/systemd/system"), "Accepted for compatibility."
    )
    max_completed_executors_per_framework = flag(
        INTEGER, 150, "How many ended executors of each framework are remembered."
    )

    # --- fetcher -----------------------------------------------------------------------------

    fetcher_cache_dir = flag(PATH, PATH.parse("/tmp/mesos/fetch"), "Folder of the fetcher's cache.")
    fetcher_cache_size = flag(BYTES, 2 * 2**30, "Size of the fetcher's cache.")
    fetcher_stall_timeout = flag(
        DURATION, 60.0, "Time without a byte after which a download fails.", validator=positive
    )
    hadoop_home = unsupported(PATH, None, "Where Hadoop is installed.")

    # --- executors ---------------------------------------------------------------------------

    executor_registration_timeout = flag(
        DURATION, 60.0, "Time within which a launched executor must subscribe.", validator=positive
    )
    executor_reregistration_timeout = flag(
        DURATION,
        2.0,
        "Time within which executors must subscribe again after the agent's restart.",
        validator=positive,
    )
    executor_reregistration_retry_interval = unsupported(
        DURATION, None, "How often the agent calls executors of the old driver at recovery."
    )
    executor_shutdown_grace_period = flag(
        DURATION, 5.0, "Time that an executor has to shut down.", validator=positive
    )
    http_command_executor = flag(
        BOOLEAN, False, "Accepted for compatibility: the command executor always uses HTTP."
    )
    http_heartbeat_interval = flag(
        DURATION, 30.0, "How often streams of the operator API get a heartbeat.", validator=positive
    )
    http_executor_domain_sockets = unsupported(
        BOOLEAN, False, "Whether executors connect through a domain socket."
    )
    domain_socket_location = unsupported(STRING, None, "Where the domain socket is.")
    authenticate_http_executors = unsupported(
        BOOLEAN, False, "Whether executors must authenticate."
    )

    # --- authentication ----------------------------------------------------------------------

    credential = optional(
        SECRET_PATH,
        'File with the credential that the agent shows to the master, as JSON `{"principal": "p", '
        '"secret": "s"}` or as `p s`. It should be readable for the agent alone.',
    )
    http_authenticators = optional(
        STRING, "How endpoints are authenticated: basic.", validator=basic_alone
    )
    http_credentials = optional(
        SECRET_PATH,
        "File with the credentials that endpoints accept, as the master's `--credentials`.",
    )

    # --- recovery ----------------------------------------------------------------------------

    recover = flag(
        STRING,
        "reconnect",
        "What to do with executors of the previous agent: reconnect to them, or cleanup: end "
        "them and exit, before an upgrade that can't reconnect.",
        validator=one_of("reconnect", "cleanup"),
    )
    strict = flag(
        BOOLEAN,
        True,
        "Whether any error in the checkpointed state stops recovery; without it as much as "
        "possible is recovered.",
    )
    recovery_timeout = flag(
        DURATION,
        900.0,
        "Time that the agent has to come back before its executors end themselves.",
        validator=positive,
    )

    # --- what Pocket lacks -------------------------------------------------------------------

    agent_features = unsupported(STRING, None, "Features of the agent.")
    appc_simple_discovery_uri_prefix = unsupported(STRING, "http://", "For appc images.")
    appc_store_dir = unsupported(PATH, PATH.parse("/tmp/mesos/store/appc"), "For appc images.")
    authenticatee = unsupported(STRING, "crammd5", "How the agent authenticates.")
    authentication_backoff_factor = unsupported(DURATION, 1.0, "Backoff of authentication.")
    authentication_timeout_min = unsupported(DURATION, 5.0, "Timeout of authentication.")
    authentication_timeout_max = unsupported(DURATION, 60.0, "Timeout of authentication.")
    authorizer = unsupported(STRING, "local", "Authorizer.")
    container_logger = unsupported(STRING, None, "Module that takes containers' output.")
    docker = unsupported(STRING, "docker", "Docker's client.")
    docker_config = unsupported(STRING, None, "Docker's configuration.")
    docker_ignore_runtime = unsupported(BOOLEAN, False, "For docker images.")
    docker_kill_orphans = unsupported(BOOLEAN, True, "For docker containers.")
    docker_mesos_image = unsupported(STRING, None, "For an agent in a docker container.")
    docker_registry = unsupported(STRING, None, "For docker images.")
    docker_remove_delay = unsupported(DURATION, 21600.0, "For docker containers.")
    docker_socket = unsupported(STRING, "/var/run/docker.sock", "Docker's socket.")
    docker_stop_timeout = unsupported(DURATION, 0.0, "For docker containers.")
    docker_store_dir = unsupported(PATH, PATH.parse("/tmp/mesos/store/docker"), "Docker images.")
    docker_volume_checkpoint_dir = unsupported(
        PATH, PATH.parse("/var/run/mesos/isolators/docker/volume"), "For docker volumes."
    )
    docker_volume_chown = unsupported(BOOLEAN, False, "For docker volumes.")
    effective_capabilities = unsupported(STRING, None, "Linux capabilities of tasks.")
    bounding_capabilities = unsupported(STRING, None, "Linux capabilities of tasks.")
    ephemeral_ports_per_container = unsupported(INTEGER, None, "For port mapping.")
    host_path_volume_force_creation = unsupported(STRING, None, "Host folders made if missing.")
    image_gc_config = unsupported(STRING, None, "For images.")
    image_providers = unsupported(STRING, None, "Image formats.")
    image_provisioner_backend = unsupported(STRING, None, "How images are put together.")
    jwt_secret_key = unsupported(PATH, None, "For executors' authentication.")
    network_cni_config_dir = unsupported(STRING, None, "For CNI networks.")
    network_cni_metrics = unsupported(BOOLEAN, True, "For CNI networks.")
    network_cni_plugins_dir = unsupported(STRING, None, "For CNI networks.")
    network_cni_root_dir_persist = unsupported(BOOLEAN, False, "For CNI networks.")
    oversubscribed_resources_interval = unsupported(DURATION, 15.0, "For oversubscription.")
    perf_duration = unsupported(DURATION, 10.0, "For the perf isolator.")
    perf_events = unsupported(STRING, None, "For the perf isolator.")
    perf_interval = unsupported(DURATION, 60.0, "For the perf isolator.")
    qos_controller = unsupported(STRING, None, "For oversubscription.")
    qos_correction_interval_min = unsupported(DURATION, 0.0, "For oversubscription.")
    resource_estimator = unsupported(STRING, None, "For oversubscription.")
    resource_provider_config_dir = unsupported(STRING, None, "For resource providers.")
    revocable_cpu_low_priority = unsupported(BOOLEAN, True, "For oversubscription.")
    xfs_project_range = unsupported(STRING, None, "For the isolator disk/xfs.")
