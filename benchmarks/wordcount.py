"""Time the word count on a running lab, from the start of the command to its result.

Runs on a client node, through the docker command. Prints the machine, the versions, the command
and the spread beside the figures, without which they mean nothing.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="mesos-lab", help="name of the running lab [%(default)s]")
    parser.add_argument("--runs", type=int, default=10, help="how often [%(default)s]")
    parser.add_argument("inputs", nargs="*", help="as the client sees them [the lab's own text]")
    arguments = parser.parse_args()
    description = ROOT / ".lab" / arguments.lab / "lab.json"
    if not description.is_file():
        parser.error(f"no lab is described in {description}; run make up first")
    lab = json.loads(description.read_text())
    inputs = arguments.inputs or lab["inputs"]
    command = ["mapreduce", "run", "wordcount", *inputs, "--top", "1"]
    report(lab["clients"][0], command, measure(lab["clients"][0], command, arguments.runs))


def measure(client: str, command: list[str], runs: int) -> list[float]:
    """Return the seconds that each run took; the first, which warms caches, is left out."""
    seconds = []
    for _ in range(runs + 1):
        began = time.monotonic()
        subprocess.run(["docker", "exec", client, *command], check=True, capture_output=True)
        seconds.append(time.monotonic() - began)
    return seconds[1:]


def report(client: str, command: list[str], seconds: list[float]) -> None:
    """Print what was measured, on what, and how far the runs lie apart."""
    probe = ["docker", "exec", client, "/opt/mapreduce/bin/python", "--version"]
    python = subprocess.check_output(probe, text=True).strip()
    size = subprocess.check_output(["docker", "exec", client, "du", "-bc", command[3]], text=True)
    print(f"machine   {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}")
    print(f"load      {os.getloadavg()[0]:.1f} at the end, the benchmark's own included")
    print(f"versions  nodes: {python}")
    print(f"command   {' '.join(command)} ({int(size.split()[0]) / 1e6:.1f} MB), on {client}")
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    print(
        f"seconds   median {statistics.median(seconds):.2f}, quartiles {quartiles[0]:.2f} to "
        f"{quartiles[2]:.2f}, least {min(seconds):.2f}, most {max(seconds):.2f}, n {len(seconds)}"
    )


if __name__ == "__main__":
    main()
