"""Files of credentials: both forms, what is refused, and that no secret is ever repeated."""

import logging
from pathlib import Path

import pytest

from pocket_mesos.credentials import CredentialsError, read_all, read_one

SECRET = "pst-do-not-tell"


def write(folder: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "file"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        '{"credentials": [{"principal": "a", "secret": "1"}, {"principal": "b", "secret": "2"}]}',
        "a 1\nb 2\n",
        "\n  a\t1  \r\n\nb 2",
        "a 0\nb 2\na 1",
    ],
    ids=["json", "lines", "blanks", "last wins"],
)
def test_both_forms_are_read(tmp_path: Path, text: str) -> None:
    """JSON, and the lines that Mesos once took."""
    assert read_all(write(tmp_path, text), "credentials") == {"a": "1", "b": "2"}


@pytest.mark.parametrize("text", ['{"principal": "a", "secret": "1"}', "a 1\n"])
def test_a_daemon_has_one_credential(tmp_path: Path, text: str) -> None:
    """The same two forms for one."""
    found = read_one(write(tmp_path, text), "credential")
    assert (found.principal, found.secret) == ("a", "1")
    assert "1" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Credentials file must contain at least one credential"),
        (" \n", "Credentials file must contain at least one credential"),
        ('{"credentials": []}', "Credentials file must contain at least one credential"),
        (f'{{"credentials": [{{"principal": "a", "secret": "{SECRET}"}}', "Invalid json format"),
        (f'{{"credential": "{SECRET}"}}', "expecting 'credentials'"),
        (f'{{"credentials": "{SECRET}"}}', "'credentials' is no array"),
        (f'{{"credentials": ["{SECRET}"]}}', "credentials[0] is no object"),
        (f'{{"credentials": [{{"secret": "{SECRET}"}}]}}', "string in credentials[0].principal"),
        ('{"credentials": [{"principal": "a"}]}', "string in credentials[0].secret"),
        ('{"credentials": [{"principal": "a", "secret": 7}]}', "string in credentials[0].secret"),
        ('{"credentials": [{"principal": "a", "secret": ""}]}', "string in credentials[0].secret"),
        (f"a {SECRET} c", "Invalid credential format at line 1"),
        (f"a 1\n{SECRET}", "Invalid credential format at line 2"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str | bytes, said: str) -> None:
    """The message names file, flag or place, and nothing of what the file holds."""
    with pytest.raises(CredentialsError) as error:
        read_all(write(tmp_path, text), "credentials")
    assert said in str(error.value)
    assert str(error.value).endswith("(see --credentials flag)")
    assert SECRET not in str(error.value)


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path, why in ((tmp_path / "no", "No such file or directory"), (tmp_path, "directory")):
        with pytest.raises(CredentialsError) as error:
            read_all(path, "http_credentials")
        assert f"Failed to read credentials file '{path}'" in str(error.value)
        assert why in str(error.value)
        assert "(see --http_credentials flag)" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Empty credential file"),
        ("a 1\nb 2", "Expecting one credential only"),
        ('{"principal": "a"}', "string in credential.secret"),
    ],
)
def test_a_bad_credential_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    """An agent must not come to the master as nobody by mistake."""
    with pytest.raises(CredentialsError) as error:
        read_one(write(tmp_path, text), "credential")
    assert said in str(error.value)


def test_an_open_file_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As in Mesos it is no reason to refuse."""
    with caplog.at_level(logging.WARNING):
        read_all(write(tmp_path, "a 1", 0o640), "credentials")
        assert not caplog.messages
        read_all(write(tmp_path, f"a {SECRET}", 0o644), "credentials")
    assert "are too open" in caplog.text
    assert SECRET not in caplog.text


def test_a_colon_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Such a secret never fits, for that is how HTTP basic authentication is read by Mesos."""
    with caplog.at_level(logging.WARNING):
        read_all(write(tmp_path, f"a {SECRET}:"), "credentials")
    assert "colon in credentials[0].secret" in caplog.text
    assert SECRET not in caplog.text
