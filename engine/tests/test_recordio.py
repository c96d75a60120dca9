"""RecordIO survives any chunking and refuses garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.recordio import Decoder, encode


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 70))
def test_records_come_back_whatever_the_chunks(records: list[bytes], size: int) -> None:
    """A stream cut anywhere yields the same records in the same order."""
    wire = b"".join(map(encode, records))
    decoder = Decoder()
    found = []
    for start in range(0, len(wire), size):
        found += decoder.feed(wire[start : start + size])
    assert found == records
    assert decoder.pending == 0


@pytest.mark.parametrize("wire", [b"x\n", b"-1\n", b"99999999999\nabc", b"12345678901234", b"\n"])
def test_a_bad_length_is_refused(wire: bytes) -> None:
    """Garbage can't make the decoder wait for ever or take memory without end."""
    with pytest.raises(ProtocolError):
        Decoder().feed(wire)


def test_a_cut_record_is_seen() -> None:
    """The end of a stream inside a record is told from a clean one."""
    decoder = Decoder()
    assert decoder.feed(b"5\nabc") == []
    assert decoder.pending == 5
