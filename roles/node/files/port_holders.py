"""Say which of some ports are taken by others: port_holders.py UNIT PORT...

Prints a line for each listening TCP socket on these ports whose process is no part of the
systemd unit. Needs iproute2, and root to see other users' processes.
"""

import re
import subprocess
import sys
from pathlib import Path

unit, *ports = sys.argv[1:]


def belongs_to_unit(pid: str) -> bool:
    """Tell whether systemd started the process for the unit."""
    try:
        return f"/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


listening = subprocess.run(
    ["ss", "-H", "-l", "-t", "-n", "-p"], capture_output=True, text=True, check=True
).stdout
for line in listening.splitlines():
    address = line.split()[3]
    host, _, port = address.rpartition(":")
    holders = re.findall(r'\("([^"]*)",pid=(\d+)', line) or [("an unknown program", "?")]
    if port in ports and not any(belongs_to_unit(pid) for _, pid in holders):
        names = ", ".join(f"{name} (process {pid})" for name, pid in holders)
        sys.stdout.write(f"port {port} on {host} is held by {names}\n")
