"""/files/download over a real connection: of any size, at the client's pace, cut where it ends."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_master import PATIENCE

from pocket_mesos.http.files import Files
from pocket_mesos.http.router import Router
from pocket_mesos.http.server import Server

pytestmark = pytest.mark.component

MEGABYTE = 2**20
SIZE = 300 * MEGABYTE


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "stdout"
    path.touch()
    os.truncate(path, SIZE)
    return path


@pytest.fixture
async def port(large: Path) -> AsyncIterator[int]:
    """Where a server shows the file."""
    router = Router()
    Files(lambda: {"/box": str(large.parent)}).register(router)
    server = Server(router)
    yield await server.start("127.0.0.1", 0)
    await server.stop()


class Client:
    """Sends one request, and reads as much as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def ask(cls, port: int, method: str, path: str) -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n"
        client.writer.write(f"{head}Connection: close\r\n\r\n".encode())
        return client

    async def head(self) -> list[str]:
        data = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        return data.decode().split("\r\n")[:-2]

    async def rest(self) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        except ConnectionResetError:
            return b""


def memory() -> int:
    """Bytes that this process, the server's, holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_a_large_file_takes_little_memory(port: int) -> None:
    """It comes whole, as it is, and never lies in memory as a whole."""
    before = memory()
    client = await Client.ask(port, "GET", "/files/download?path=/box/stdout")
    head = await client.head()
    assert head[0] == "HTTP/1.1 200 OK"
    assert head[1].startswith("Date: ")
    assert head[2:] == [
        "Content-Disposition: attachment; filename=stdout",
        f"Content-Length: {SIZE}",
        "Content-Type: application/octet-stream",
    ]
    received, most = 0, 0
    while piece := await asyncio.wait_for(client.reader.read(MEGABYTE), PATIENCE):
        received += len(piece)
        most = max(most, memory())
    assert received == SIZE
    assert most - before < 50 * MEGABYTE
    client.writer.close()


async def test_who_does_not_read_holds_up_nobody(port: int) -> None:
    """Others are answered meanwhile."""
    slow = await Client.ask(port, "GET", "/files/download?path=/box/stdout")
    await slow.head()
    other = await Client.ask(port, "GET", "/files/read?path=/box/stdout&offset=0&length=1")
    assert (await other.head())[0] == "HTTP/1.1 200 OK"
    for one in (slow, other):
        one.writer.close()


async def test_a_file_that_becomes_shorter_ends_the_connection(port: int, large: Path) -> None:
    """The client was promised more than there is now: it must not wait for the rest."""
    client = await Client.ask(port, "GET", "/files/download?path=/box/stdout")
    await client.head()
    os.truncate(large, 0)
    assert len(await client.rest()) < SIZE
    client.writer.close()


async def test_head_tells_of_a_file_without_sending_it(port: int) -> None:
    """As for every endpoint."""
    client = await Client.ask(port, "HEAD", "/files/download?path=/box/stdout")
    assert f"Content-Length: {SIZE}" in await client.head()
    assert await client.rest() == b""
    client.writer.close()
