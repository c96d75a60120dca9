"""Files with credentials: what ``--credentials``, ``--http_credentials``, ``--credential`` name.

Two forms: Mesos' JSON, and the lines ``principal secret`` that it once took. No message about such
a file repeats what is in it.
"""

import json
import logging
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocket_mesos.protocol.errors import PocketError

log = logging.getLogger(__name__)


class CredentialsError(PocketError):
    """A file of credentials can't be used; ``str()`` is Mesos' sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Who somebody is, and how it proves it."""

    principal: str
    secret: str = field(repr=False)


def read_all(path: Path, flag: str) -> Mapping[str, str]:
    """Read accepted credentials.

    Args:
        path: the file.
        flag: which flag named it.

    Returns:
        Secrets by principal; of a principal's several the last counts, as in Mesos.

    Raises:
        CredentialsError: the file can't be read, or holds something else, or nothing.
    """
    try:
        text = _read(path, "credentials")
        if not text:
            raise CredentialsError("Credentials file must contain at least one credential")
        given = _json(text)["credentials"] if text.startswith("{") else _lines(text)
        made = [_credential(one, f"credentials[{i}]") for i, one in enumerate(_listed(given))]
    except KeyError:
        raise CredentialsError(
            f"Failed to parse credentials: expecting 'credentials' (see --{flag} flag)"
        ) from None
    except CredentialsError as error:
        raise CredentialsError(f"{error} (see --{flag} flag)") from None
    if not made:
        raise CredentialsError(
            f"Credentials file must contain at least one credential (see --{flag} flag)"
        )
    return {one.principal: one.secret for one in made}


def read_one(path: Path, flag: str) -> Credential:
    """Read a daemon's own credential.

    Raises:
        CredentialsError: the file can't be read, or holds something else, or nothing.
    """
    try:
        text = _read(path, "credential")
        if not text:
            raise CredentialsError(f"Empty credential file '{path}'")
        given = [_json(text)] if text.startswith("{") else _lines(text)
        if len(given) != 1:
            raise CredentialsError("Expecting one credential only")
        return _credential(given[0], "credential")
    except CredentialsError as error:
        raise CredentialsError(f"{error} (see --{flag} flag)") from None


def _read(path: Path, what: str) -> str:
    log.info("Loading %s for authentication from '%s'", what, path)
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except OSError as error:
        raise CredentialsError(f"Failed to read {what} file '{path}': {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"Failed to read {what} file '{path}': not UTF-8") from None
    if mode & stat.S_IRWXO:
        log.warning(
            "Permissions on %s file '%s' are too open; it is recommended that your %s file is NOT "
            "accessible by others",
            what,
            path,
            what,
        )
    return text.strip()


def _json(text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise CredentialsError(f"Invalid json format: error at line {error.lineno}") from None
    return value


def _lines(text: str) -> list[dict[str, str]]:
    made = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and len(words) != 2:
            raise CredentialsError(f"Invalid credential format at line {number}")
        if words:
            made.append({"principal": words[0], "secret": words[1]})
    return made


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise CredentialsError("Failed to parse credentials: 'credentials' is no array")
    return value


def _credential(value: Any, where: str) -> Credential:
    if not isinstance(value, dict):
        raise CredentialsError(f"Failed to parse credentials: {where} is no object")
    for name in ("principal", "secret"):
        given = value.get(name)
        if not isinstance(given, str) or not given:
            raise CredentialsError(
                f"Failed to parse credentials: expecting a string in {where}.{name}"
            )
        if ":" in given:
            log.warning("The colon in %s.%s keeps it from HTTP basic authentication", where, name)
    return Credential(principal=value["principal"], secret=value["secret"])
