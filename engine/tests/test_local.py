"""What mesos-local hands to its daemons."""

from pocket_mesos.cli import mesos_local
from pocket_mesos.flags.local import LocalFlags


def test_ports_that_are_left_to_us_cannot_be_taken_meanwhile() -> None:
    """Agents take theirs when they listen; the master's is none that connections are given."""
    master, *agents = mesos_local._ports(LocalFlags.load(["--port=0", "--num_slaves=2"], {}))
    first_for_connections = 32768
    assert 1024 < master < first_for_connections
    assert agents == [0, 0]


def test_ports_that_are_given_follow_each_other() -> None:
    """The master's first."""
    flags = LocalFlags.load(["--port=6050", "--num_slaves=2"], {})
    assert mesos_local._ports(flags) == [6050, 6051, 6052]
