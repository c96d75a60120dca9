"""Ansible as the tests run it: the scenario's inventory and variables, results as data."""

import functools
import json
import os
import signal
import string
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.waiting import wait_for

HERE = Path(__file__).resolve()
ROOT = HERE.parents[4]
SCENARIO = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", HERE.parents[2]))
PROJECT = SCENARIO.parents[1]
"""The folder that Molecule runs in: the repository, or a role."""
PROGRAMS = Path(sys.executable).parent
"""Ansible's commands lie beside the interpreter that runs the tests."""
TIMEOUT = 600
"""Seconds that a playbook may take; an idle machine needs about 40 when there is little to do."""


@functools.cache
def target() -> list[str]:
    """Return the options by which Molecule makes Ansible work on the scenario's lab."""
    config = yaml.safe_load((SCENARIO / "molecule.yml").read_text())
    # A role's scenario shares what it says of Ansible.
    if "executor" not in config.get("ansible", {}):
        config = yaml.safe_load((ROOT / ".config" / "molecule" / "config.yml").read_text())
    folders = {"MOLECULE_PROJECT_DIRECTORY": PROJECT, "MOLECULE_SCENARIO_DIRECTORY": SCENARIO}
    options = config["ansible"]["executor"]["args"]["ansible_playbook"]
    return [string.Template(option).substitute(folders) for option in options]


@dataclass(frozen=True, slots=True)
class Run:
    """How a playbook went."""

    output: str
    changed: frozenset[tuple[str, str]]
    """(host, what) of everything reported as changed: file, unit, or else the task's name."""


def run(name: str, *options: str) -> Run:
    """Run a playbook of the repository on the scenario's lab; it must succeed."""
    result = _ansible("ansible-playbook", *target(), *options, str(ROOT / name))
    report = _report(result)
    assert result.returncode == 0, (
        f"{name} failed:\n{_failures(report) or result.stdout}{result.stderr}"
    )
    changed = frozenset(
        (host, _subject(outcome) or task["task"]["name"])
        for play in report["plays"]
        for task in play["tasks"]
        for host, outcome in task["hosts"].items()
        if outcome.get("changed")
    )
    return Run(output=result.stdout, changed=changed)


def refusal(name: str, *options: str) -> str:
    """Run a playbook that has to fail, and return what it says of the reason."""
    result = _ansible("ansible-playbook", *target(), *options, str(ROOT / name))
    assert result.returncode != 0, f"{name} went on:\n{result.stdout}"
    return _failures(_report(result))


def interrupt(name: str, *options: str, when: Callable[[], object]) -> None:
    """Start a playbook and kill it, as a closed laptop would, as soon as something is so."""
    process = subprocess.Popen(
        [PROGRAMS / "ansible-playbook", *target(), *options, str(ROOT / name)],
        env=_environment(), cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def is_time() -> object:
        ended = process.poll()
        assert ended is None, f"{name} ended with {ended} before it could be interrupted"
        return when()

    try:
        wait_for(f"the moment to interrupt {name}", is_time, seconds=TIMEOUT)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask_controller(pattern: str, expression: str) -> dict[str, Any]:
    """Return what a Jinja expression gives for each host, rendered on the controller."""
    arguments = ("--module-name=ansible.builtin.debug", "--args", json.dumps({"msg": expression}))
    result = _ansible("ansible", *target(), pattern, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    hosts: Mapping[str, Any] = _report(result)["plays"][0]["tasks"][0]["hosts"]
    return {host: outcome["msg"] for host, outcome in hosts.items()}


def _ansible(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / command[0], *command[1:]],
        env=_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def _environment() -> dict[str, str]:
    return os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
    }


def _report(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    start = result.stdout.find("{")
    assert start >= 0, f"no report from Ansible:\n{result.stdout}{result.stderr}"
    report: dict[str, Any] = json.loads(result.stdout[start:])
    return report


def _subject(outcome: Mapping[str, Any]) -> str | None:
    return next((str(outcome[key]) for key in ("dest", "path", "name") if outcome.get(key)), None)


def _failures(report: Mapping[str, Any]) -> str:
    return "".join(
        f"{host}: {task['task']['name']}: {outcome.get('msg', outcome)}"
        f" {outcome.get('stderr', '')}\n"
        for play in report["plays"]
        for task in play["tasks"]
        for host, outcome in task["hosts"].items()
        if outcome.get("failed") or outcome.get("unreachable")
    )
