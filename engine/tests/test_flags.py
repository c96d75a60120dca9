"""Flags: Mesos' command-line and environment rules, its printed forms, its refusals."""

import json
from pathlib import Path

import pytest

from pocket_mesos.flags import (
    BOOLEAN,
    DURATION,
    Flag,
    Flags,
    FlagsError,
    flag,
    optional,
    parse_duration,
    unsupported,
)
from pocket_mesos.flags.agent import AgentFlags
from pocket_mesos.flags.local import LocalFlags
from pocket_mesos.flags.master import MasterFlags
from pocket_mesos.flags.types import BYTES

REAL = {
    "agent_ping_timeout": "15secs", "agent_reregister_timeout": "10mins",
    "allocation_interval": "1secs", "allocator": "hierarchical",
    "allocator_agent_recovery_factor": "0.8", "allocator_recovery_timeout": "10mins",
    "authenticate_agents": "false", "authenticate_frameworks": "false",
    "authenticate_http_frameworks": "false", "authenticate_http_readonly": "false",
    "authenticate_http_readwrite": "false", "authentication_v0_timeout": "15secs",
    "authenticators": "crammd5", "authorizers": "local", "filter_gpu_resources": "true",
    "framework_sorter": "drf", "help": "false", "hostname": "127.0.0.1",
    "hostname_lookup": "true", "http_authenticators": "basic",
    "initialize_driver_logging": "true", "ip": "127.0.0.1", "log_auto_initialize": "true",
    "log_dir": "/log_dir/master", "logbufsecs": "0", "logging_level": "INFO",
    "max_agent_ping_timeouts": "5", "max_completed_frameworks": "50",
    "max_completed_tasks_per_framework": "1000", "max_operator_event_stream_subscribers": "1000",
    "max_unreachable_tasks_per_framework": "1000", "memory_profiling": "false",
    "min_allocatable_resources": "cpus:0.01|mem:32", "offer_constraints_re2_max_mem": "4KB",
    "offer_constraints_re2_max_program_size": "100", "port": "5050",
    "publish_per_framework_metrics": "true", "quiet": "false",
    "recovery_agent_removal_limit": "100%", "registry": "replicated_log",
    "registry_fetch_timeout": "1mins", "registry_gc_interval": "15mins",
    "registry_max_agent_age": "2weeks", "registry_max_agent_count": "102400",
    "registry_store_timeout": "20secs", "registry_strict": "false",
    "require_agent_domain": "false", "role_sorter": "drf", "root_submissions": "true",
    "version": "false", "webui_dir": "/webui_dir", "work_dir": "/work_dir/master",
    "zk_session_timeout": "10secs",
}  # fmt: skip
"""What /flags of a real master printed."""


def load(*arguments: str, **environment: str) -> MasterFlags:
    return MasterFlags.load(["--work_dir=/w", *arguments], environment)


def test_printed_flags_are_those_of_real_mesos() -> None:
    """The same command line gives the same /flags, names, defaults and units included."""
    flags = MasterFlags.load(
        [
            "--ip=127.0.0.1",
            "--port=5050",
            "--hostname=127.0.0.1",
            "--work_dir=/work_dir/master",
            "--log_dir=/log_dir/master",
        ],
        {"MESOS_WEBUI_DIR": "/webui_dir"},
    )
    assert flags.printed() == REAL
    assert json.dumps(flags.printed()) == json.dumps(REAL), "sorted by name"


def test_command_line_beats_environment() -> None:
    """MESOS_PORT counts only where --port is not given."""
    assert load(MESOS_PORT="1").port == 1
    assert load("--port=2", MESOS_PORT="1").port == 2


def test_unknown_environment_variable_is_ignored() -> None:
    """Other programs have MESOS_ variables too."""
    assert load(MESOS_NATIVE_JAVA_LIBRARY="/x", MESOS_SANDBOX="/y").port == 5050


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--nosuch=1", "Failed to load unknown flag 'nosuch'"),
        ("--nosuch", "Failed to load unknown flag 'nosuch'"),
        ("--no-nosuch", "Failed to load unknown flag 'no-nosuch'"),
        ("--port", "Failed to load non-boolean flag 'port': Missing value"),
        ("--no-port", "Failed to load non-boolean flag 'port' via 'no-port'"),
        ("--no-quiet=1", "Failed to load boolean flag 'quiet' via 'no-quiet' with value '1'"),
        (
            "--port=x",
            "Failed to load flag 'port': Failed to load value 'x': Failed to convert 'x' to number",
        ),
        (
            "--quiet=maybe",
            (
                "Failed to load flag 'quiet': Failed to load value 'maybe': "
                "Expecting a boolean (e.g., true or false)"
            ),
        ),
    ],
)
def test_bad_argument_is_refused_in_mesos_words(argument: str, sentence: str) -> None:
    """The first line that an operator reads names the flag and the fault."""
    with pytest.raises(FlagsError) as error:
        load(argument)
    assert str(error.value) == sentence


def test_missing_required_flag_stops_the_start() -> None:
    """A master needs a work folder."""
    with pytest.raises(FlagsError, match="Flag 'work_dir' is required, but it was not provided"):
        MasterFlags.load([], {})


def test_help_needs_no_other_flag() -> None:
    """--help works without the required flags."""
    assert MasterFlags.load(["--help"], {}).help


@pytest.mark.parametrize(("argument", "value"), [("--quiet", True), ("--no-quiet", False)])
def test_boolean_forms(argument: str, value: bool) -> None:
    """--flag and --no-flag set a boolean."""
    assert load(argument).quiet is value


def test_former_name_still_works() -> None:
    """Mesos renamed slave flags; both names load the same flag."""
    assert load("--slave_ping_timeout=1secs").agent_ping_timeout == 1.0


def test_value_from_a_file(tmp_path: Path) -> None:
    """file:// stands for the file's contents, as operators keep secrets out of ps."""
    (tmp_path / "zk").write_text("zk://a:b@h:2181/mesos\n")
    assert load(f"--zk=file://{tmp_path}/zk").zk == "zk://a:b@h:2181/mesos"
    with pytest.raises(FlagsError, match="Failed to fetch value"):
        load(f"--zk=file://{tmp_path}/missing")


def test_feature_that_pocket_lacks_is_refused_clearly() -> None:
    """A known flag of Mesos never is silently without effect when it asks for security."""
    with pytest.raises(FlagsError, match=r"authenticators.*Pocket Mesos lacks"):
        load("--authenticators=kerberos")
    assert load("--authenticators=crammd5").authenticators == "crammd5"
    with pytest.raises(FlagsError, match=r"HTTP authenticator 'jwt' not found"):
        load("--http_authenticators=jwt")


def test_former_names_of_authentication() -> None:
    """As Mesos' deprecated names."""
    for old, new in (
        ("authenticate", "authenticate_frameworks"),
        ("authenticate_slaves", "authenticate_agents"),
        ("authenticate_http", "authenticate_http_readwrite"),
    ):
        assert getattr(load(f"--{old}"), new) is True


def test_a_path_of_secrets_is_a_path(tmp_path: Path) -> None:
    """/flags shows where they are; secrets given in the flag itself are not even repeated."""
    for given in (f"{tmp_path}/c", f"file://{tmp_path}/c"):
        assert load(f"--credentials={given}").printed()["credentials"] == f"{tmp_path}/c"
    for given in ('{"credentials": [{"principal": "a", "secret": "tell"}]}', "a tell\nb tell", ""):
        with pytest.raises(FlagsError) as error:
            load(f"--credentials={given}")
        assert "expecting the path of a file" in str(error.value)
        assert "tell" not in str(error.value)


def test_a_password_in_an_address_is_not_printed() -> None:
    """/flags is read by many."""
    for given, shown in (
        ("zk://user:p@ss@h1:2181,h2:2181/m", "zk://user:***@h1:2181,h2:2181/m"),
        ("zk://h1:2181,h2:2181/m@x", "zk://h1:2181,h2:2181/m@x"),
        ("zk://h/m", "zk://h/m"),
    ):
        flags = load(f"--zk={given}")
        assert (flags.zk, flags.printed()["zk"]) == (given, shown)


def test_an_address_from_a_file_is_printed_as_its_path(tmp_path: Path) -> None:
    """As in Mesos, so that a password can be kept out of /flags there too."""
    (tmp_path / "zk").write_text("zk://user:tell@h/m\n")
    flags = load(f"--zk=file://{tmp_path}/zk")
    assert (flags.zk, flags.printed()["zk"]) == ("zk://user:tell@h/m", f"{tmp_path}/zk")


def test_lists_come_inline_or_from_a_file(tmp_path: Path) -> None:
    """As JSON, as file://, and as a mere path, which Mesos calls deprecated."""
    text = '{"permissive": false}'
    (tmp_path / "acls").write_text(text)
    for given in (text, f"file://{tmp_path}/acls", f"{tmp_path}/acls"):
        flags = load(f"--acls={given}")
        assert flags.acls is not None
        assert not flags.acls.permissive
        assert flags.printed()["acls"] == "permissive: false\n"
    with pytest.raises(FlagsError, match=r"acls.*Unknown action 'run_task'"):
        load('--acls={"run_task": []}')
    with pytest.raises(FlagsError, match=r"acls.*No such file"):
        load(f"--acls={tmp_path}/missing")


def test_validators_refuse_nonsense() -> None:
    """Values of the right type can still be wrong."""
    for bad in ("--port=70000", "--agent_reregister_timeout=1mins", "--quorum=0"):
        with pytest.raises(FlagsError):
            load(bad)


@pytest.mark.parametrize(
    "text", ["0ns", "15secs", "1mins", "1.5mins", "500ms", "6hrs", "1days", "2weeks", "3us"]
)
def test_durations_print_as_they_are_read(text: str) -> None:
    """Every unit survives the round trip."""
    assert DURATION.show(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["", "15", "secs", "1sec", "x5secs", "1e400secs", "nansecs"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A missing or unknown unit is an error, never a guess."""
    with pytest.raises(ValueError, match=r"nit|Invalid|range"):
        parse_duration(text)


def test_bytes_print_as_they_are_read() -> None:
    """Sizes keep their unit."""
    for text in ("4KB", "2GB", "100B", "1536MB"):
        assert BYTES.show(BYTES.parse(text)) == text


def test_usage_shows_every_flag_with_its_default() -> None:
    """Help derives from the declarations."""

    class Small(Flags):
        program = "small"
        loud = flag(BOOLEAN, False, "Makes noise.")
        name = optional(DURATION, "Some time.")
        lacking = unsupported(BOOLEAN, False, "Not here.")

    text = Small.usage("Wrong")
    assert text.startswith("Wrong\n\nUsage: small [options]\n")
    assert "--[no-]loud" in text
    assert "(default: false)" in text
    assert "--name=VALUE" in text


BOTH = """
advertise_ip advertise_port authenticate_http_readonly authenticate_http_readwrite firewall_rules
domain help hooks hostname hostname_lookup http_authenticators ip ip_discovery_command modules
modules_dir port version zk_session_timeout quiet log_dir logbufsecs logging_level
initialize_driver_logging external_log_file acls memory_profiling
"""
ON_MASTERS = """
quorum work_dir zk agent_ping_timeout slave_ping_timeout agent_removal_rate_limit
slave_removal_rate_limit agent_reregister_timeout slave_reregister_timeout allocation_interval
allocator min_allocatable_resources authenticate_agents authenticate_slaves authenticate_frameworks
authenticate authenticate_http_frameworks authenticators authentication_v0_timeout authorizers
cluster credentials fair_sharing_excluded_resource_names filter_gpu_resources framework_sorter
http_framework_authenticators log_auto_initialize master_contender master_detector
max_agent_ping_timeouts max_slave_ping_timeouts max_completed_frameworks
max_completed_tasks_per_framework max_operator_event_stream_subscribers
max_unreachable_tasks_per_framework offer_timeout offer_constraints_re2_max_mem
offer_constraints_re2_max_program_size publish_per_framework_metrics rate_limits
recovery_agent_removal_limit recovery_slave_removal_limit registry registry_fetch_timeout
registry_gc_interval registry_max_agent_age registry_max_agent_count registry_store_timeout
require_agent_domain roles root_submissions role_sorter webui_dir weights whitelist
max_executors_per_agent max_executors_per_slave
"""
ON_AGENTS = """
master work_dir agent_features agent_subsystems slave_subsystems effective_capabilities
bounding_capabilities appc_simple_discovery_uri_prefix appc_store_dir attributes
authenticate_http_executors authenticatee authentication_backoff_factor authentication_timeout_min
authentication_timeout_max authorizer cgroups_cpu_enable_pids_and_tids_count cgroups_destroy_timeout
cgroups_enable_cfs cgroups_hierarchy cgroups_limit_swap cgroups_net_cls_primary_handle
cgroups_net_cls_secondary_handles allowed_devices cgroups_root check_agent_port_range_only
container_disk_watch_interval container_logger container_ports_watch_interval containerizers
credential csi_plugin_config_dir default_container_dns default_container_info
default_container_shm_size default_role disk_profile_adaptor disk_watch_interval docker
docker_config docker_ignore_runtime docker_kill_orphans docker_mesos_image docker_registry
docker_remove_delay docker_socket docker_stop_timeout docker_store_dir docker_volume_checkpoint_dir
docker_volume_chown domain_socket_location enforce_container_disk_quota enforce_container_ports
executor_environment_variables executor_registration_timeout executor_reregistration_timeout
executor_reregistration_retry_interval max_completed_executors_per_framework jwt_secret_key
executor_shutdown_grace_period fetcher_cache_dir fetcher_cache_size fetcher_stall_timeout
frameworks_home gc_delay gc_disk_headroom gc_non_executor_container_sandboxes hadoop_home
host_path_volume_force_creation http_credentials http_command_executor http_executor_domain_sockets
http_heartbeat_interval image_providers image_provisioner_backend image_gc_config ip6
ip6_discovery_command isolation launcher launcher_dir master_detector nvidia_gpu_devices
network_cni_plugins_dir network_cni_config_dir network_cni_metrics network_cni_root_dir_persist
oversubscribed_resources_interval perf_duration perf_events perf_interval qos_controller
qos_correction_interval_min reconfiguration_policy recover recovery_timeout
registration_backoff_factor resource_estimator resources resource_provider_config_dir
revocable_cpu_low_priority runtime_dir sandbox_directory disallow_sharing_agent_ipc_namespace
disallow_sharing_agent_pid_namespace strict secret_resolver switch_user systemd_enable_support
systemd_runtime_directory volume_gid_range ephemeral_ports_per_container eth0_name lo_name
egress_rate_limit_per_container egress_unique_flow_per_container egress_flow_classifier_parent
network_enable_socket_statistics_summary network_enable_socket_statistics_details
network_enable_snmp_statistics xfs_project_range xfs_kill_containers
"""


@pytest.mark.parametrize(
    ("flags", "documented"), [(MasterFlags, BOTH + ON_MASTERS), (AgentFlags, BOTH + ON_AGENTS)]
)
def test_every_flag_of_mesos_documents_is_known(flags: type[Flags], documented: str) -> None:
    """A flag that Pocket lacks is refused as such, never as one that nobody has heard of."""
    known = set(flags.declared()) | {one.alias for one in flags.declared().values()}
    assert set(documented.split()) - known == set()


@pytest.mark.parametrize("flags", [MasterFlags, AgentFlags, LocalFlags])
def test_each_flag_is_declared_once(flags: type[Flags]) -> None:
    """Name, default and help of a flag stand in one place."""
    names = [name for base in flags.__mro__ for name, one in vars(base).items() if is_flag(one)]
    names += [one.alias for one in flags.declared().values() if one.alias]
    assert sorted(names) == sorted(set(names))


def is_flag(one: object) -> bool:
    return isinstance(one, Flag)


@pytest.mark.parametrize("name", sorted(n for n, o in AgentFlags.declared().items() if o.lacking))
def test_each_flag_that_pocket_lacks_takes_its_default_alone(name: str) -> None:
    """Mesos' default starts the agent; anything else stops it and says why."""
    one = AgentFlags.declared()[name]
    given = ["--master=m:5050", "--work_dir=/w"]
    if one.default is not None:
        shown = one.type.show(one.default)
        assert AgentFlags.load([*given, f"--{name}={shown}"], {}).values[name] == one.default
    other = "true" if one.default is False else "false" if one.type.boolean else "7secs"
    text = {"size": "7B", "whole number": "7", "number": "7"}.get(one.type.name, other)
    if one.type.name in ("text", "path"):
        text = "/other"
    with pytest.raises(FlagsError, match=f"'{name}' is invalid: Pocket Mesos lacks this feature"):
        AgentFlags.load([*given, f"--{name}={text}"], {})
