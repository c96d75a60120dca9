"""An incremental parser of one HTTP response, with the interface that PyMesos expects.

Only what PyMesos calls is here. Deliberately absent is an attribute `errno`: its presence would
make PyMesos treat this parser as http-parser's pure-Python variant and import a module of it.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

NO_ERROR = 0
PARSE_ERROR = 1


class HttpParser:
    """Parses the bytes of one response as they arrive, in pieces of any size."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._headers_complete = False
        self._message_complete = False
        self._error = NO_ERROR

    def execute(self, data: bytes, length: int) -> int:
        """Parse the first `length` bytes of `data`; return how many were parsed.

        A return value below `length` means a malformed message: `get_errno` is then not 0, and
        the parser takes nothing more. Body bytes ahead of the fault remain readable.
        """
        if self._error:
            return 0
        try:
            self._parser.feed_data(data[:length])
        except (HttpParserError, HttpParserUpgrade):
            self._error = PARSE_ERROR
            return 0
        return length

    def get_errno(self) -> int:
        """0 while all bytes were well-formed."""
        return self._error

    def is_headers_complete(self) -> bool:
        return self._headers_complete

    def is_message_complete(self) -> bool:
        """Whether the end that the headers announce (last chunk, Content-Length) was reached."""
        return self._message_complete

    def is_partial_body(self) -> bool:
        """Whether body bytes wait for `recv_body`."""
        return bool(self._body)

    def is_chunked(self) -> bool:
        """Whether the body comes chunked, which the last transfer coding decides (RFC 9112)."""
        codings = self._header("transfer-encoding").lower().split(",")
        return codings[-1].strip() == "chunked"

    def get_status_code(self) -> int:
        """Return the status code; 0 as long as the headers are incomplete."""
        return self._parser.get_status_code() if self._headers_complete else 0

    def get_headers(self) -> dict[str, str]:
        """Headers as they were spelled; repeated ones are joined by a comma (RFC 9110)."""
        return self._headers

    def recv_body(self) -> bytes:
        """Return the body bytes, free of chunk framing, that arrived since the last call."""
        body = bytes(self._body)
        self._body.clear()
        return body

    def _header(self, name: str) -> str:
        return next((v for k, v in self._headers.items() if k.lower() == name), "")

    # Callbacks of httptools.

    def on_message_begin(self) -> None:
        if self._message_complete:
            raise ValueError("bytes after the end of the response")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        same = next((known for known in self._headers if known.lower() == key.lower()), None)
        if same is None:
            self._headers[key] = text
        else:
            self._headers[same] += ", " + text

    def on_headers_complete(self) -> None:
        self._headers_complete = True

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._message_complete = True
