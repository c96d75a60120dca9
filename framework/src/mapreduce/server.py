"""The scheduler's own HTTP server: byte ranges of inputs and the job's file out, results in.

Every path begins with a token that only this run's executors know. Threads and sendfile: the
bytes of inputs never pass through Python.
"""

import hmac
import os
import re
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mapreduce.errors import ClusterError
from mapreduce.inputs import Input
from mapreduce.results import Store

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_RESULT = re.compile(r"results/([A-Za-z0-9-]{1,64})/(\d{1,6})")

LARGEST_PART = 1 << 30
"""Bytes of a result's part; parts are bounded by their number of pairs, and pairs by sanity."""


class Server:
    """Serves until closed, on `host`; agents are told `advertised` as its address."""

    def __init__(
        self, host: str, advertised: str, inputs: list[Input], store: Store, job_file: Path | None
    ) -> None:
        self.inputs = inputs
        self.store = store
        self.job_file = job_file
        self.token = secrets.token_urlsafe(16)
        # Of its own, as Mesos shows the URIs of executors to anybody.
        self.job_token = secrets.token_urlsafe(16)
        try:
            self._http = _Http((host, 0), self)
        except OSError as error:
            raise ClusterError(
                f"No server can listen on {host}, which agents would call: {error.strerror}. "
                "--advertise sets another address."
            ) from error
        self._base = f"http://{advertised}:{self._http.server_address[1]}"
        self.url = f"{self._base}/{self.token}"
        # The poll interval is what close() takes.
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def input_url(self, number: int) -> str:
        """Return where agents read an input."""
        return f"{self.url}/inputs/{number}"

    @property
    def job_url(self) -> str:
        """Return where agents fetch the job's file."""
        return f"{self._base}/{self.job_token}/job"

    def close(self) -> None:
        """Stop listening; what is under way ends with the process."""
        self._http.shutdown()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a connection that broke is the executor's to repeat."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300
    server: _Http

    def do_GET(self) -> None:
        owner = self.server.owner
        if owner.job_file is not None and self._behind(owner.job_token) == "job":
            self._send(HTTPStatus.OK, owner.job_file.read_bytes())
            return
        rest = self._behind(owner.token)
        if rest is not None and rest.startswith("inputs/"):
            self._send_input(rest.removeprefix("inputs/"))
        else:
            self._send(HTTPStatus.NOT_FOUND, b"no such path\n")

    def do_PUT(self) -> None:
        length = int(self.headers.get("Content-Length", -1))
        if not 0 <= length <= LARGEST_PART:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"a part needs a length below 1 GB\n")
            return
        match = _RESULT.fullmatch(self._behind(self.server.owner.token) or "")
        if match is None:
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND, b"no such path\n")
            return
        body = self.rfile.read(length)
        if len(body) == length:
            try:
                self.server.owner.store.put(match[1], int(match[2]), body)
            except OSError as error:  # such as a full disk
                self._send(HTTPStatus.INSUFFICIENT_STORAGE, f"{error.strerror}\n".encode())
            else:
                self._send(HTTPStatus.OK, b"")

    def _behind(self, token: str) -> str | None:
        """Return the path behind the token, None where another one stands."""
        found, _, rest = self.path.lstrip("/").partition("/")
        return rest if hmac.compare_digest(found.encode(), token.encode()) else None

    def _send_input(self, number: str) -> None:
        inputs = self.server.owner.inputs
        if not number.isascii() or not number.isdigit() or int(number) >= len(inputs):
            self._send(HTTPStatus.NOT_FOUND, b"no such input\n")
            return
        given = inputs[int(number)]
        try:
            assert given.path is not None  # executors ask for files only
            file = Path(given.path).open("rb", buffering=0)  # noqa: SIM115 closed below
        except OSError as error:
            self._send(HTTPStatus.GONE, f"cannot be read any more: {error.strerror}\n".encode())
            return
        with file:
            found = os.fstat(file.fileno())
            match = _RANGE.fullmatch(self.headers.get("Range", ""))
            if (found.st_size, found.st_mtime_ns) != (given.size, given.modified):
                self._send(HTTPStatus.CONFLICT, b"changed during the job\n")
            elif match is None or not int(match[1]) <= int(match[2]) < found.st_size:
                self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"no such range\n")
            else:
                self._send_range(file, int(match[1]), int(match[2]), found.st_size)

    def _send_range(self, file: Any, first: int, last: int, size: int) -> None:
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        sent = self.connection.sendfile(file, first, last - first + 1)
        if sent != last - first + 1:
            self.close_connection = True  # the file was cut short; the executor sees the end

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 named by http.server
        """Say nothing: requests are not the user's business."""
