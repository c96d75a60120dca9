"""The HTTP server of a scheduler or an executor: byte ranges of files out, results in.

Every path begins with a token that only those know who are to use it. Threads and sendfile: the
bytes that go out never pass through Python.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from mapreduce.errors import ClusterError
from mapreduce.exchange.results import BLOCK, PartError, Store
from mapreduce.inputs.inputs import Input

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_NUMBER = re.compile(r"[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_RESULT = re.compile(r"results/([A-Za-z0-9][A-Za-z0-9._-]{0,99})/(\d{1,6})/([0-9a-f]{32})")


@dataclass(slots=True, kw_only=True)
class Content:
    """What a server serves. Its owner may change it while it does.

    `inputs` are the client's, by number; `runs` is the folder of the runs; `run_list` returns what
    reducers are to fetch; `store` takes results; `shipped` are files by the names under which
    agents fetch them; `storage` holds the options of the file systems that inputs are on.
    """

    inputs: Sequence[Input] = ()
    runs: Path | None = None
    run_list: Callable[[], list[dict[str, Any]]] | None = None
    store: Store | None = None
    shipped: dict[str, Path] = field(default_factory=dict)
    storage: bytes = b""


class Server:
    """Serves until closed, on `host`; others are told `advertised` as its address.

    The port and the token that a server had before let its clients go on with this one. Raises
    ClusterError where it cannot listen.
    """

    def __init__(
        self, host: str, advertised: str, content: Content, *, port: int = 0, token: str = ""
    ) -> None:
        self.content = content
        # Known here alone. Of the three that follow from it, Mesos shows two to whoever asks: that
        # in the URIs of executors, and that in their data. The one of credentials it never shows.
        self.token = token or secrets.token_urlsafe(16)
        self.shipped_token, self.main_token, self.storage_token = (
            _derived(self.token, purpose) for purpose in (b"shipped", b"main", b"storage")
        )
        try:
            self._http = _Http((host, port), self)
        except OSError as error:
            where = f"{host}, port {port}" if port else host
            raise ClusterError(
                f"No server can listen on {where}, which agents would call: {error.strerror}. "
                "--advertise sets another address."
            ) from error
        self.port: int = self._http.server_address[1]
        self._base = f"http://{advertised}:{self.port}"
        self.url = f"{self._base}/{self.main_token}"
        # The poll interval is what close() takes.
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def input_url(self, number: int) -> str:
        """Return where agents read an input."""
        return f"{self.url}/inputs/{number}"

    def run_url(self, name: str) -> str:
        """Return where reducers read a run."""
        return f"{self.url}/runs/{name}"

    @property
    def run_list_url(self) -> str:
        """Return where reducers learn of the runs."""
        return f"{self.url}/runs"

    def shipped_url(self, name: str) -> str:
        """Return where agents fetch a file that is shipped to them."""
        return f"{self._base}/{self.shipped_token}/{urllib.parse.quote(name, safe='')}"

    @property
    def storage_url(self) -> str:
        """Return where executors learn of the options of the inputs' file systems."""
        return f"{self._base}/{self.storage_token}/storage"

    def close(self) -> None:
        """Stop listening; what is under way ends with the process."""
        self._http.shutdown()
        self._http.server_close()


def _derived(token: str, purpose: bytes) -> str:
    return hashlib.blake2b(token.encode(), person=purpose, digest_size=16).hexdigest()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without http.server's look-up of the host's name, which may take its time."""
        super(ThreadingHTTPServer, self).server_bind()
        self.server_name, self.server_port = "", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a connection that broke is the peer's to repeat."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300
    server: _Http

    def do_GET(self) -> None:
        owner = self.server.owner
        shipped = self._behind(owner.shipped_token)
        if shipped is not None:
            self._send_shipped(shipped)
            return
        if self._behind(owner.storage_token) == "storage":
            self._send(HTTPStatus.OK, owner.content.storage)
            return
        kind, _, name = (self._behind(owner.main_token) or "").partition("/")
        if kind == "inputs" and _NUMBER.fullmatch(name):
            self._send_input(int(name))
        elif kind == "runs" and not name and owner.content.run_list is not None:
            self._send(HTTPStatus.OK, json.dumps(owner.content.run_list()).encode())
        elif kind == "runs" and _NAME.fullmatch(name):
            self._send_run(name)
        else:
            self._send_missing()

    def do_PUT(self) -> None:
        store = self.server.owner.content.store
        match = _RESULT.fullmatch(self._behind(self.server.owner.main_token) or "")
        body = self._body()
        status, why = HTTPStatus.OK, ""
        try:
            if match is None or store is None:
                status, why = HTTPStatus.NOT_FOUND, "no such path\n"
            else:
                store.put(match[1], int(match[2]), match[3], body)
        except PartError as error:
            status, why = HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n"
        except OSError as error:  # such as a full disk
            status, why = HTTPStatus.INSUFFICIENT_STORAGE, f"{error.strerror}\n"
        for _ in body:  # the peer hears an answer only after it has sent everything
            pass
        self._send(status, why.encode())

    def _body(self) -> Iterator[bytes]:
        """Yield the request's body in blocks; raises PartError if it breaks off."""
        length = self.headers.get("Content-Length", "")
        left = int(length) if length.isdecimal() else -1
        while left > 0 and (block := self.rfile.read(min(left, BLOCK))):
            left -= len(block)
            yield block
        if left:
            self.close_connection = True
            raise PartError("the part broke off")

    def _behind(self, token: str) -> str | None:
        """Return the path behind the token, None where another one stands."""
        found, _, rest = self.path.lstrip("/").partition("/")
        return rest if hmac.compare_digest(found.encode(), token.encode()) else None

    def _send_shipped(self, name: str) -> None:
        path = self.server.owner.content.shipped.get(urllib.parse.unquote(name))
        try:
            if path is None:
                raise FileNotFoundError
            file = path.open("rb", buffering=0)
        except OSError:
            self._send_missing()
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            self._send_head(HTTPStatus.OK, size)
            self._send_file(file, 0, size)

    def _send_input(self, number: int) -> None:
        inputs = self.server.owner.content.inputs
        if number >= len(inputs) or inputs[number].path is None:
            self._send_missing()
            return
        given = inputs[number]
        try:
            file = Path(given.path or "").open("rb", buffering=0)  # noqa: SIM115 closed below
        except OSError as error:
            self._send(HTTPStatus.GONE, f"cannot be read any more: {error.strerror}\n".encode())
            return
        with file:
            found = os.fstat(file.fileno())
            if (found.st_size, found.st_mtime_ns) != (given.size, given.modified):
                self._send(HTTPStatus.CONFLICT, b"changed during the job\n")
            else:
                self._send_range(file, found.st_size)

    def _send_run(self, name: str) -> None:
        folder = self.server.owner.content.runs
        try:
            if folder is None:
                raise FileNotFoundError
            file = (folder / name).open("rb", buffering=0)
        except OSError:
            self._send_missing()
            return
        with file:
            self._send_range(file, os.fstat(file.fileno()).st_size)

    def _send_range(self, file: Any, size: int) -> None:
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match is None or not int(match[1]) <= int(match[2]) < size:
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"no such range\n")
            return
        first, last = int(match[1]), int(match[2])
        about = f"bytes {first}-{last}/{size}"
        self._send_head(HTTPStatus.PARTIAL_CONTENT, last - first + 1, about)
        self._send_file(file, first, last - first + 1)

    def _send_head(self, status: HTTPStatus, length: int, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def _send_file(self, file: BinaryIO, start: int, length: int) -> None:
        if length and self.connection.sendfile(file, start, length) != length:
            self.close_connection = True  # the file was cut short; the peer sees the end

    def _send_missing(self) -> None:
        self._send(HTTPStatus.NOT_FOUND, b"no such path\n")

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self._send_head(status, len(body))
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 named by http.server
        """Say nothing: requests are not the user's business."""
