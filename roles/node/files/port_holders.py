"""Say which of some ports are taken by others: port_holders.py UNIT PORT...

Prints a line for each listening TCP socket on these ports whose process is no part of the
systemd unit. Needs iproute2 and root.
"""

import re
import subprocess
import sys
from pathlib import Path

unit, *ports = sys.argv[1:]


def output(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def belongs_to_unit(pid: str) -> bool:
    """Tell whether systemd started the process for the unit."""
    try:
        return f"/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def is_the_units_user(uid: int) -> bool:
    """Tell whether the unit runs, as that user."""
    pid = output("systemctl", "show", "--property=MainPID", "--value", unit).strip()
    try:
        return pid != "0" and Path(f"/proc/{pid}").stat().st_uid == uid
    except OSError:
        return False


for line in output("ss", "-H", "-l", "-t", "-n", "-p", "-e").splitlines():
    host, _, port = line.split()[3].rpartition(":")
    if port not in ports:
        continue
    holders = re.findall(r'\("([^"]*)",pid=(\d+)', line)
    uid = re.search(r" uid:(\d+)", line)
    if holders:
        ours = any(belongs_to_unit(pid) for _, pid in holders)
    else:
        # A container's root may not look into other users' processes: their user has to do.
        ours = is_the_units_user(int(uid[1]) if uid else 0)
    if not ours:
        names = ", ".join(f"{name} (process {pid})" for name, pid in holders)
        names = names or f"a process of the user number {uid[1] if uid else 0}"
        sys.stdout.write(f"port {port} on {host} is held by {names}\n")
