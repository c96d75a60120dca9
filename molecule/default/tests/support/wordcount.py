"""The word count as a user runs it on a client node, and the exact answer to compare it with."""

import io
import pydoc_data.topics
import subprocess
import tarfile
from collections import Counter

import docker

from support import cluster
from support.inventory import Node

FOLDER = "/var/tmp"
LIMIT = 300
"""Seconds that a count may take, a failover within it included."""

# What every Python carries, and what exact counting must survive: bytes that are no UTF-8,
# blanks of many kinds, characters beyond the basic plane, no newline at the end.
TEXT = "\n".join(pydoc_data.topics.topics.values()).encode() + (
    b"\n\xff\xfe broken \xc3\x28 utf-8\n"
    + "naïve\u00a0blank\u2003em \U0001f40d \u3000wide\tÉ é E\u0301".encode()
)


def text(copies: int) -> bytes:
    """Return the text several times over, each copy on lines of its own."""
    return b"\n".join([TEXT] * copies)


def answer(copies: int) -> bytes:
    """Return what the command must write for so many copies, computed with collections.Counter."""
    counts = Counter(text(copies).decode(errors="surrogateescape").split())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = (f"{word}\t{count}\n" for word, count in ordered)
    return "".join(lines).encode(errors="surrogateescape")


class Count:
    """A count of so many copies of the text that runs on a client node."""

    def __init__(self, client: Node, copies: int, job: str = "wordcount") -> None:
        """Start it, with the command's own job or with another, as the command takes it."""
        self._client = client
        self._output = f"{FOLDER}/{copies}.tsv"
        client.run(f"rm -f {self._output}")
        put(client, f"{copies}.txt", text(copies))
        # The limit holds on the node: ending `docker exec` here would not end the command there.
        command = ["timeout", str(LIMIT), "mapreduce", "run", job, f"{FOLDER}/{copies}.txt"]
        options = ["--master", cluster.zookeeper_address(), "--output", self._output]
        self._job = subprocess.Popen(
            ["docker", "exec", client.container, *command, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def is_over(self) -> bool:
        """Tell whether the command has ended."""
        return self._job.poll() is not None

    def result(self) -> bytes:
        """Return the file that the command wrote; it must have succeeded."""
        output, _ = self._job.communicate(timeout=LIMIT + 30)
        assert self._job.returncode == 0, output
        content: bytes = self._client.host.file(self._output).content
        return content


def put(node: Node, name: str, content: bytes) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    docker.from_env().containers.get(node.container).put_archive(FOLDER, archive.getvalue())
