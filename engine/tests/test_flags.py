"""Flags: Mesos' command-line and environment rules, its printed forms, its refusals."""

import json
from pathlib import Path

import pytest

from pocket_mesos.flags import (
    BOOLEAN,
    DURATION,
    Flags,
    FlagsError,
    flag,
    optional,
    parse_duration,
    unsupported,
)
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
