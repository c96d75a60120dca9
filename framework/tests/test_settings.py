"""Options come from the command line, else from the environment, else from what fits."""

import pytest

from mapreduce.client import settings
from mapreduce.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("15", 15), ("0.5", 0.5), ("500ms", 0.5), ("10secs", 10), ("2mins", 120), ("1.5 hrs", 5400)],
)
def test_times_are_seconds_or_as_mesos_writes_them(text, expected):
    """Both are understood."""
    assert settings.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "10 parsecs", "-1", "1e3", "nan", "inf"])
def test_what_is_no_time_is_refused(text):
    """With the forms that are understood."""
    with pytest.raises(ValueError, match="500ms, 10secs"):
        settings.seconds(text)


def test_executor_and_user_come_from_the_option_then_the_environment(monkeypatch):
    """And only then from where the lab's agents have them."""
    monkeypatch.delenv("MAPREDUCE_USER", raising=False)
    monkeypatch.setenv("MAPREDUCE_EXECUTOR", "/env")
    assert settings.tasks("/option", None, local=False).executor == "/option"
    assert settings.tasks(None, None, local=False).executor == "/env"
    monkeypatch.delenv("MAPREDUCE_EXECUTOR")
    assert settings.tasks(None, None, local=False) == settings.Tasks(
        settings.ON_AGENTS, settings.USER_ON_AGENTS
    )
    assert settings.tasks(None, None, local=True).user == ""


@pytest.fixture
def clean(monkeypatch):
    for name in ("CREDENTIAL", "PRINCIPAL", "SECRET"):
        monkeypatch.delenv(f"MAPREDUCE_{name}", raising=False)
    return monkeypatch


@pytest.fixture
def secret(tmp_path):
    """A function that makes a file that is its owner's alone."""

    def make(content, mode=0o600):
        path = tmp_path / "credential"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return make


@pytest.mark.parametrize("content", [b'{"principal": "me", "secret": "x y"}', b"me hidden\n"])
def test_a_credential_has_the_forms_that_mesos_takes(clean, secret, content):
    """JSON, or both in a line; named by the option or the environment."""
    path = secret(content)
    found = settings.credential(path)
    assert found is not None
    assert found[0] == "me"
    clean.setenv("MAPREDUCE_CREDENTIAL", str(path))
    assert settings.credential(None) == found


def test_a_credential_may_be_in_the_environment(clean):
    """Both halves; one alone is a mistake."""
    assert settings.credential(None) is None
    clean.setenv("MAPREDUCE_PRINCIPAL", "me")
    with pytest.raises(UsageError, match="only used together"):
        settings.credential(None)
    clean.setenv("MAPREDUCE_SECRET", "hidden")
    assert settings.credential(None) == ("me", "hidden")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"alone",
        b"a b c",
        b"{",
        b"[]",
        b'{"principal": "me"}',
        b'{"principal": 1, "secret": 2}',
    ],
)
def test_a_credential_of_another_form_is_refused(clean, secret, content):
    """With the form that is right."""
    with pytest.raises(UsageError, match="no form that Mesos knows"):
        settings.credential(secret(content))


def test_a_credential_that_others_can_read_is_refused(clean, secret):
    """A secret that is none."""
    with pytest.raises(UsageError, match="chmod 600"):
        settings.credential(secret(b"me hidden", 0o640))


def test_a_credential_that_is_not_there_is_named(clean, tmp_path):
    """With the system's reason."""
    with pytest.raises(UsageError, match=r"'.*none' cannot be read: No such file"):
        settings.credential(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xff")
    with pytest.raises(UsageError, match="it is no text"):
        settings.credential(tmp_path / "binary")
