"""The word count on a client, through the masters' zk:// address, in good times and bad."""

import io
import pydoc_data.topics
import subprocess
import tarfile
from collections import Counter

import docker
import pytest
from support import cluster, inventory, processes
from support.inventory import Node
from support.waiting import wait_for

FOLDER = "/var/tmp"
COPIES = 40
"""How often the large input repeats the text: some 25 MB, seconds of counting."""

# What every Python carries, and what exact counting must survive: bytes that are no UTF-8,
# blanks of many kinds, characters beyond the basic plane, no newline at the end.
TEXT = "\n".join(pydoc_data.topics.topics.values()).encode() + (
    b"\n\xff\xfe broken \xc3\x28 utf-8\n"
    + "naïve\u00a0blank\u2003em \U0001f40d \u3000wide\tÉ é E\u0301".encode()
)


def expected(copies: int) -> bytes:
    """Return the output that the command must write, computed with collections.Counter."""
    counts = Counter(text_of(copies).decode(errors="surrogateescape").split())
    lines = (
        f"{word}\t{count}\n"
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return "".join(lines).encode(errors="surrogateescape")


def text_of(copies: int) -> bytes:
    """Return the text several times over, each copy on lines of its own."""
    return b"\n".join([TEXT] * copies)


@pytest.fixture(scope="module")
def client() -> Node:
    """Return a client with the inputs small.txt and large.txt in its folder."""
    node = inventory.group("clients")[0]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, copies in (("small.txt", 1), ("large.txt", COPIES)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text_of(copies))
            tar.addfile(entry, io.BytesIO(text_of(copies)))
    docker.from_env().containers.get(node.container).put_archive(FOLDER, archive.getvalue())
    return node


def start(client: Node, name: str) -> subprocess.Popen[str]:
    """Start the count of an input on the client; it ends by itself whatever happens here."""
    # The limit is enforced on the node: ending `docker exec` here would not end the command there.
    command = ["timeout", "150", "mapreduce", "run", "wordcount", f"{FOLDER}/{name}.txt"]
    options = ["--master", cluster.zookeeper_address(), "--output", f"{FOLDER}/{name}.tsv"]
    client.run(f"rm -f {FOLDER}/{name}.tsv")
    return subprocess.Popen(
        ["docker", "exec", client.container, *command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def result(client: Node, name: str, job: subprocess.Popen[str]) -> bytes:
    """Return the file that a count wrote; the command must have succeeded."""
    output, _ = job.communicate(timeout=180)
    assert job.returncode == 0, output
    content: bytes = client.host.file(f"{FOLDER}/{name}.tsv").content
    return content


def tasks_are_out(leader: Node) -> bool:
    """Tell whether the leader has seen tasks of a framework that is still there."""
    frameworks = cluster.state(leader)["frameworks"]
    return any(framework["tasks"] or framework["completed_tasks"] for framework in frameworks)


def test_counts_are_exact(client, leader):
    """On a cluster that is whole, the output is byte for byte what collections.Counter gives."""
    assert result(client, "small", start(client, "small")) == expected(1)


def test_counts_are_exact_when_the_leader_dies_under_the_job(client, leader):
    """A job whose leading master is killed half way is exact all the same, and so is the next."""
    killed = processes.main_process(leader, "mesos-master")
    job = start(client, "large")
    wait_for(
        "tasks of the job", lambda: job.poll() is not None or tasks_are_out(leader), pause=0.02
    )
    leader.run(f"kill -9 {killed.pid}")
    assert job.poll() is None, (
        f"the job was over before the leader was killed:\n{job.communicate()[0]}"
    )

    assert result(client, "large", job) == expected(COPIES)

    assert cluster.leader() != leader
    assert result(client, "small", start(client, "small")) == expected(1)
