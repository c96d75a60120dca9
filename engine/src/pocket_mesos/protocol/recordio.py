"""RecordIO framing: each record is its length in decimal, a line feed, then that many bytes.

Source: Mesos' documentation of the v1 scheduler HTTP API.
"""

from pocket_mesos.protocol.errors import ProtocolError

MAX_RECORD_BYTES = 64 * 1024 * 1024
"""A longer record is refused: no Mesos message comes near, so it is garbage or an attack."""

_MAX_HEADER_BYTES = len(str(MAX_RECORD_BYTES))


def encode(record: bytes) -> bytes:
    """Return ``record`` framed for a stream."""
    return b"%d\n%b" % (len(record), record)


class Decoder:
    """Cuts a byte stream, fed in chunks of any size, into records.

    Raises:
        ProtocolError: the peer sent a malformed or oversized length; the decoder is then unusable.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add ``data`` and return the records that it completes, in order."""
        self._buffer += data
        records = []
        start = 0
        while (found := self._header(start)) is not None:
            body, end = found
            if len(self._buffer) < end:
                break
            records.append(bytes(self._buffer[body:end]))
            start = end
        del self._buffer[:start]
        return records

    @property
    def pending(self) -> int:
        """Bytes of an incomplete record; not zero at the end of a stream means it was cut."""
        return len(self._buffer)

    def _header(self, start: int) -> tuple[int, int] | None:
        """Return first byte and end of the record at ``start``; None if not known yet."""
        newline = self._buffer.find(b"\n", start, start + _MAX_HEADER_BYTES + 1)
        if newline < 0:
            if len(self._buffer) - start > _MAX_HEADER_BYTES:
                raise ProtocolError("RecordIO length has no end", found=self._excerpt(start))
            return None
        digits = bytes(self._buffer[start:newline])
        if not (digits.isdigit() and digits.isascii()) or int(digits) > MAX_RECORD_BYTES:
            raise ProtocolError("RecordIO length is not valid", found=self._excerpt(start))
        return newline + 1, newline + 1 + int(digits)

    def _excerpt(self, start: int) -> str:
        return repr(bytes(self._buffer[start : start + 32]))
