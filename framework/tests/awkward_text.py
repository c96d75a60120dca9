"""Text that is hard to split: all that counts as white space, and what only looks like it."""

from hypothesis import strategies as st

SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]
"""Every character that str.split() splits on: there is none above U+3000."""

FRAGMENTS = st.one_of(
    st.sampled_from(SPACES).map(str.encode),
    st.sampled_from([b"\r\n", b"a", b"to", "\u2019".encode(), "ü€𝄞".encode(), b"\x00"]),
    # Truncated, overlong and stray bytes, also of the characters that are white space.
    st.sampled_from([b"\xe2", b"\xe2\x80", b"\xc2", b"\x85", b"\xa8", b"\xe3\x80", b"\xff"]),
    st.sampled_from([b"\xf0\x90", b"\xed\xa0\x80", b"\xc0\xa0", b"\xe1\x9a", b"\xf4\x90\x80\x80"]),
    st.binary(max_size=4),
)
