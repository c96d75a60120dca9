"""The lab as Vagrant's machines: the same topology, and the same answer, as in containers.

The cheap tests run wherever vagrant is installed. Those that raise machines run when
MESOS_LAB_TEST_PROVIDER names a provider (scripts/test-vagrant), in a lab of their own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = os.environ.get("MESOS_LAB_TEST_PROVIDER", "")
INVENTORY = os.environ.get("MESOS_LAB_INVENTORY", "inventory/vagrant")
NAME = "mesos-lab-vtest"
SUBNET = "192.168.57.0/24"
OURS = ["-e", f"lab_name={NAME}", "-e", f"lab_subnet={SUBNET}"]
TEXT = "/srv/mapreduce/bible.txt"
COUNTS = "/tmp/counts.tsv"
UNITS = {
    "zookeeper": "zookeeper",
    "mesos_masters": "mesos-master",
    "mesos_agents": "mesos-agent",
}
UP_SECONDS = 3600
"""How long five machines may take where two processors emulate them."""

pytestmark = pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is not installed")
on_machines = pytest.mark.skipif(
    not PROVIDER, reason="takes minutes: scripts/test-vagrant docker|libvirt runs it"
)


class Vagrant:
    """Vagrant with a state folder, lab name and subnet of its own."""

    def __init__(self, state: Path) -> None:
        self.env = {
            **os.environ,
            "MESOS_LAB_INVENTORY": INVENTORY,
            "MESOS_LAB_NAME": NAME,
            "MESOS_LAB_SUBNET": SUBNET,
            "VAGRANT_DOTFILE_PATH": str(state),
            # Of the repository's interpreter, whoever calls: ansible and the scripts.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(self, *arguments: str, seconds: float = 120) -> str:
        """Run a vagrant command, return what it printed."""
        return self._run(["vagrant", *arguments], seconds)

    def ansible(self, *command: str, seconds: float = 1800) -> str:
        """Run a command of Ansible's on the machines, return what it printed."""
        return self._run([command[0], "-i", INVENTORY, *OURS, *command[1:]], seconds)

    def on(self, machine: str, command: str) -> str:
        """Run a shell command on a machine, return what it printed."""
        return self.run("ssh", machine, "-c", command)

    def _run(self, command: list[str], seconds: float) -> str:
        """Show the output as it comes, return it, insist on success."""
        lines = []
        with subprocess.Popen(
            ["timeout", "--kill-after=60", str(seconds), *command],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if "Progress:" not in line and len(line) < 400:
                    print(line, end="", flush=True)
        assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}"
        return "".join(lines)


def inventory(path: str) -> dict[str, Any]:
    """Return what Ansible makes of an inventory."""
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", path, "--list"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(listed.stdout)
    return result


def test_vagrantfile_defines_the_machines_of_the_inventory(tmp_path: Path) -> None:
    """Vagrant accepts the definition, and it names the nodes that Ansible will look for."""
    vagrant = Vagrant(tmp_path)
    vagrant.run("validate", "--ignore-provider")
    status = vagrant.run("status", "--machine-readable")
    machines = re.findall(r"^\d+,(\S+),provider-name,", status, re.MULTILINE)
    assert machines == inventory(INVENTORY)["nodes"]["hosts"]


def test_containers_and_machines_are_one_topology() -> None:
    """A node added for one kind of lab is added for the other: both read the same file."""
    groups = ["nodes", "zookeeper", "mesos_masters", "mesos_agents", "clients"]
    docker, vagrant = inventory("inventory/docker"), inventory("inventory/vagrant")
    assert [docker[group] for group in groups] == [vagrant[group] for group in groups]


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[Vagrant, str]]:
    """The machines, up and provisioned, and what `vagrant up` printed; gone in the end."""
    state = ROOT / ".lab" / NAME / "vagrant"
    state.mkdir(parents=True, exist_ok=True)
    vagrant = Vagrant(state)
    vagrant.run("destroy", "--force")
    vagrant.env["MESOS_LAB_ARGS"] = f"-e mapreduce_output={COUNTS}"
    try:
        yield vagrant, vagrant.run("up", f"--provider={PROVIDER}", seconds=UP_SECONDS)
    finally:
        vagrant.run("destroy", "--force", seconds=300)
        shutil.rmtree(state.parent, ignore_errors=True)


@on_machines
def test_vagrant_up_ends_with_the_right_answer(lab: tuple[Vagrant, str]) -> None:
    """One command goes from nothing to exact counts, and prints the top of them."""
    vagrant, printed = lab
    text = vagrant.on("control1", f"cat {TEXT}")
    expected = Counter(text.replace("\r\n", "\n").split())
    assert sum(expected.values()) > 700_000, "this is no book"
    lines = vagrant.on("control1", f"cat {COUNTS}").splitlines()
    counted = {word: int(count) for word, _, count in (line.rpartition("\t") for line in lines)}
    assert counted == expected
    word, count = expected.most_common(1)[0]
    assert re.search(rf"\b{count:,}\W+{word}\b|\b{count}\W+{word}\b", printed)


@on_machines
def test_each_machine_is_what_the_topology_says(lab: tuple[Vagrant, str]) -> None:
    """Name, address and services of each machine are those of its groups."""
    vagrant, _ = lab
    groups = inventory(INVENTORY)
    services = {
        "zookeeper": "zookeeper",
        "mesos_masters": "mesos-master",
        "mesos_agents": "mesos-agent",
    }
    for name, settings in groups["_meta"]["hostvars"].items():  # type: ignore[index]
        units = [unit for group, unit in services.items() if name in groups[group]["hosts"]]  # type: ignore[index]
        address = SUBNET.replace("0/24", str(settings["node_number"]))
        shown = vagrant.on(name, f"hostname; ip -4 -o addr; systemctl is-active {' '.join(units)}")
        assert shown.splitlines()[0] == name
        assert f" {address}/24 " in shown
        assert shown.splitlines()[-len(units) :] == ["active"] * len(units)


@on_machines
def test_a_second_run_changes_nothing(lab: tuple[Vagrant, str]) -> None:
    """site.yml finds Vagrant's machines as it left them."""
    vagrant, _ = lab
    recap = vagrant.ansible("ansible-playbook", "site.yml").rpartition("PLAY RECAP")[2]
    assert set(re.findall(r"changed=(\d+)", recap)) == {"0"}
    assert set(re.findall(r"(?:failed|unreachable)=(\d+)", recap)) == {"0"}
