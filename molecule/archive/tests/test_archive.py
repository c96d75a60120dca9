"""A cluster whose engine came from an archive is as good as any."""

import tarfile

import pytest
from support import inventory, processes, wordcount
from support.tasks import TERMINAL
from support.wordcount import Count


@pytest.mark.parametrize("unit", ["mesos-master", "mesos-agent"])
def test_daemon_runs_from_the_archive(unit, leader):
    """Each daemon runs a program of the archive, from the release that the prefix leads to."""
    release = leader.run("readlink -f /opt/mesos")
    command = leader.run(f"tr '\\0' ' ' </proc/{processes.main_process(leader, unit).pid}/cmdline")
    assert any(word.startswith(("/opt/mesos/", f"{release}/")) for word in command.split()), command

    with tarfile.open(leader.variables["mesos_engine_archive"]) as archive:
        program = archive.getmember(f"./sbin/{unit}")
    assert program.issym() or program.isfile()
    assert leader.host.file(f"{release}/sbin/{unit}").exists


def test_counts_are_exact(leader):
    """The word count gives what collections.Counter gives."""
    assert Count(inventory.group("clients")[0], 1).result() == wordcount.answer(1)


def test_command_task_finishes(tasks, leader):
    """A command task finds the executor in the archive's libexec and finishes."""
    agent = inventory.group("mesos_agents")[0]
    task = tasks.launch("true", cpus=0.1, mem=32, hostname=agent.address)
    assert tasks.wait(task, TERMINAL)["state"] == "TASK_FINISHED"
