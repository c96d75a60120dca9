"""Tell which of the cluster's services a node has, and what ZooKeeper there takes for its ensemble.

survey.py FILE, where FILE may hold the zk:// address that the node's master was started with.

Prints JSON: `units`; for a ZooKeeper server `mode` (null where it does not serve), `members` (by
number; what it serves with, else what its file says), `data` (whether it holds any) and `peers`
(mode by address, of each member that it can ask); `zk`, the servers that FILE names, where the
master has been started since it was written.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = ("zookeeper", "mesos-master", "mesos-agent")
UNIT_FOLDER = Path("/etc/systemd/system")
CONFIG = Path("/etc/zookeeper.cfg")
LINE = re.compile(r"^server\.(\d+)=(\S+)", re.MULTILINE)
MODE = re.compile(r"^Mode: (\S+)", re.MULTILINE)
# A server without data makes an empty snapshot of its own when it starts.
DATA = re.compile(r"log\.[0-9a-f]+|snapshot\.(?!0$)[0-9a-f]+")


def ask(host, port, word):
    """Return a server's answer to a four-letter word, empty where there is none."""
    try:
        with socket.create_connection((host, int(port)), timeout=3) as connection:
            connection.sendall(word.encode())
            with connection.makefile(encoding="utf-8", errors="replace") as answer:
                return answer.read()
    except OSError:
        return ""


def mode(host, port):
    """Return leader, follower or standalone, or None for a server that does not serve."""
    found = MODE.search(ask(host, port, "srvr"))
    return found and found.group(1)


def ensemble(path):
    """Return what there is of the server that the file configures."""
    text = path.read_text(encoding="utf-8")
    settings = dict(re.findall(r"^([\w.]+)=(.*)$", text, re.MULTILINE))
    port = settings.get("clientPort", "2181")
    own = mode("127.0.0.1", port)
    served = LINE.findall(ask("127.0.0.1", port, "conf")) if own else []
    members = dict(served or ([] if own == "standalone" else LINE.findall(text)))
    addresses = {peer.split(":")[0] for peer in members.values()}
    return {
        "mode": own,
        "members": members,
        "data": has_data(Path(settings.get("dataDir", "/nowhere"), "version-2")),
        "peers": {address: mode(address, port) for address in addresses},
    }


def has_data(folder):
    """Tell whether a server's folder holds more than what an empty server writes there."""
    return folder.is_dir() and any(DATA.fullmatch(file.name) for file in folder.iterdir())


def master_zk(path):
    """Return the servers in a zk:// address without its account, if the master has read it."""
    if not path.is_file() or path.stat().st_mtime > started("mesos-master.service"):
        return None
    return path.read_text(encoding="utf-8").strip().removeprefix("zk://").rpartition("@")[2]


def started(unit):
    """Return when a unit's main process was started; 0 where it has none."""
    show = ["systemctl", "show", "--property=MainPID", "--value", unit]
    pid = subprocess.run(show, capture_output=True, text=True, check=False).stdout.strip()
    stat = Path("/proc", pid or "0", "stat")
    if not stat.is_file():
        return 0
    # The 22nd field, in ticks since the machine started; a blank may be in the second, the name.
    ticks = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


units = [name for name in UNITS if (UNIT_FOLDER / f"{name}.service").is_file()]
zookeeper = ensemble(CONFIG) if CONFIG.is_file() else None
found = {"units": units, "zookeeper": zookeeper, "zk": master_zk(Path(sys.argv[1]))}
json.dump(found, sys.stdout)
