"""One ZooKeeper server, as its variables declare it."""

import re
import socket

import pytest
from kazoo.client import KazooClient
from support import inventory, playbook
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "playbooks/zookeeper.yml"


@pytest.fixture
def server() -> Node:
    """Return the node."""
    return inventory.group("zookeeper")[0]


@pytest.fixture
def port(server) -> int:
    """Return the port for clients."""
    return server.variables.get("zookeeper_client_port", 2181)


def ask(server: Node, port: int, word: str) -> str:
    """Return the server's answer to a four-letter word, nothing where nobody listens."""
    try:
        with socket.create_connection((server.address, port), timeout=15) as connection:
            connection.sendall(word.encode())
            with connection.makefile(encoding="utf-8") as answer:
                return answer.read()
    except OSError:
        return ""


def test_serves_clients_alone(server, port):
    """A server without peers stands alone, on the port declared."""
    wait_for("an answer", lambda: "Mode: standalone" in ask(server, port, "srvr"))


def test_is_configured_as_declared(server, port):
    """What the server says of itself is what was declared, or the role's default."""
    conf = dict(re.findall(r"^(\w+)=(.*)$", ask(server, port, "conf"), re.MULTILINE))
    declared = server.variables
    assert conf["clientPort"] == str(port)
    assert conf["dataDir"].startswith(declared.get("zookeeper_data_dir", "/var/lib/zookeeper"))
    assert conf["tickTime"] == str(declared.get("zookeeper_tick_time", 1000))
    assert conf["maxClientCnxns"] == str(declared.get("zookeeper_max_client_cnxns", 60))


def test_process_runs_as_declared(server):
    """The process has the user and the heap that were declared, and no more rights."""
    pid = server.run("systemctl show --property=MainPID --value zookeeper")
    user = server.variables.get("zookeeper_user", "zookeeper")
    assert server.run(f"stat --format=%U /proc/{pid}") == user
    heap = server.variables.get("zookeeper_heap", "96m")
    assert f"-Xmx{heap}" in server.run(f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()


def test_programs_come_from_where_they_were_declared_to(server):
    """The server's library is the distribution's, or that of the release which the prefix names."""
    pid = server.run("systemctl show --property=MainPID --value zookeeper")
    command = server.run(f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()
    libraries = command[command.index("-cp") + 1]
    prefix = server.variables.get("zookeeper_prefix", "/opt/zookeeper")
    if server.variables.get("zookeeper_kind") == "archive":
        assert libraries == f"{prefix}/lib/*"
        assert server.run(f"readlink {prefix}").startswith(f"{prefix}-")
    else:
        assert libraries.startswith("/usr/share/java/")
        assert not server.host.file(prefix).exists


def test_an_archive_that_is_another_is_refused(server):
    """Nothing changes where the checksum is another's; the message names both."""
    if server.variables.get("zookeeper_kind") != "archive":
        pytest.skip("the programs are the distribution's")
    before = server.run("readlink /opt/ensemble")
    wrong = f"sha512:{'0' * 128}"
    message = playbook.refusal(PLAYBOOK, f"--extra-vars=zookeeper_archive_checksum={wrong}")
    assert wrong in message
    assert "has the SHA-512 checksum" in message
    assert server.run("readlink /opt/ensemble") == before


def test_answers_declared_words_only(server, port):
    """Four-letter words that were not declared are refused."""
    assert "is not in the whitelist" in ask(server, port, "dump")
    declared = server.variables.get("zookeeper_four_letter_words", ["mntr"])
    assert ("is not in the whitelist" in ask(server, port, "mntr")) == ("mntr" not in declared)


def test_data_outlives_a_restart(server, port):
    """What a client wrote is there after a restart, from the folder declared."""
    path = "/outlives"
    with_client(server, port, lambda client: client.ensure_path(path))
    server.run("systemctl restart zookeeper")
    assert with_client(server, port, lambda client: client.exists(path))
    folder = server.variables.get("zookeeper_data_dir", "/var/lib/zookeeper")
    assert server.run(f"find {folder} -name 'log.*'")
    with_client(server, port, lambda client: client.delete(path))


def with_client(server: Node, port: int, action):
    """Return what an action gives on a client's session."""
    client = KazooClient(hosts=f"{server.address}:{port}")
    client.start(timeout=60)
    try:
        return action(client)
    finally:
        client.stop()
        client.close()


def test_a_port_that_another_holds_is_refused(server, port):
    """The role names who holds the port and the variable to set; then it goes on where it was."""
    server.run("systemctl stop zookeeper")
    server.run(f"systemd-run --unit=intruder --collect python3 -m http.server {port}")
    try:
        wait_for("the intruder", lambda: server.run(f"ss -Hltn sport = :{port}"))
        message = playbook.refusal(PLAYBOOK)
    finally:
        server.run("systemctl stop intruder")
    assert f"port {port}" in message
    assert "python3 (process" in message
    assert "zookeeper_client_port" in message
    assert playbook.run(PLAYBOOK).changed == {(server.name, "zookeeper.service")}
    assert "Mode: standalone" in ask(server, port, "srvr")


def test_a_lost_data_folder_is_made_again(server, port):
    """A server whose folder is gone starts empty, with its number, at the next run."""
    folder = server.variables.get("zookeeper_data_dir", "/var/lib/zookeeper")
    server.run(f"systemctl stop zookeeper && rm -rf {folder}")
    playbook.run(PLAYBOOK)
    assert server.run(f"cat {folder}/myid") == "1"
    assert "Mode: standalone" in ask(server, port, "srvr")
