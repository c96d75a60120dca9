"""What the operator APIs of master and agent have in common: their calls' types, files, pairs."""

from collections.abc import Mapping
from typing import Any

from pocket_mesos.http import messages
from pocket_mesos.http.files import (
    Files,
    FilesError,
    NoFileError,
    NoRightError,
    file_info,
)
from pocket_mesos.http.messages import Response
from pocket_mesos.http.verbosity import VERBOSITY
from pocket_mesos.protocol.base import Integer, Message
from pocket_mesos.protocol.mesos import DurationInfo

FILE_CALLS = ("LIST_FILES", "READ_FILE")


class GetMetrics(Message, frozen=True, kw_only=True):
    timeout: DurationInfo | None = None


class ListFiles(Message, frozen=True, kw_only=True):
    path: str


class ReadFile(Message, frozen=True, kw_only=True):
    path: str
    offset: Integer
    length: Integer | None = None


class SetLoggingLevel(Message, frozen=True, kw_only=True):
    level: Integer
    duration: DurationInfo
    """How long the level holds."""


class OperatorCall(Message, frozen=True, kw_only=True):
    """A call to an operator API: the fields that both daemons know."""

    type: str | None = None
    get_metrics: GetMetrics | None = None
    list_files: ListFiles | None = None
    read_file: ReadFile | None = None
    set_logging_level: SetLoggingLevel | None = None


class Sentences:
    """The answers to calls that one API can't take.

    Args:
        name: what Mesos calls the API's calls, ``master::Call`` or ``agent::Call``.
    """

    def __init__(self, name: str) -> None:
        self._prefix = f"Failed to validate {name}: "

    def missing(self, field: str) -> Response:
        """Answer a call that lacks ``field``."""
        return self.invalid(f"Expecting '{field}' to be present")

    def invalid(self, error: str) -> Response:
        """Answer a call whose content can't be."""
        return messages.bad_request(self._prefix + error)

    @staticmethod
    def absent(type_: str) -> Response:
        """Answer a call that Mesos knows and Pocket does not."""
        return messages.text(501, f"Pocket Mesos does not support the call {type_}")


def answer_files(
    call: OperatorCall, files: Files, sentences: Sentences, principal: str | None
) -> Response:
    """Answer one of :data:`FILE_CALLS`."""
    try:
        if call.type == "LIST_FILES":
            answer = _list_files(call.list_files, files, principal)
            return answer or sentences.missing("list_files")
        return _read_file(call.read_file, files, principal) or sentences.missing("read_file")
    except NoFileError:
        return messages.text(404, "")
    except NoRightError:
        return messages.text(403, "")
    except FilesError as error:
        return messages.bad_request(str(error))


def _list_files(call: ListFiles | None, files: Files, principal: str | None) -> Response | None:
    if call is None:
        return None
    infos = [file_info(*one) for one in files.browse(call.path, principal)]
    listed = {"file_infos": infos} if infos else {}
    return messages.api_json({"type": "LIST_FILES", "list_files": listed})


def _read_file(call: ReadFile | None, files: Files, principal: str | None) -> Response | None:
    if call is None:
        return None
    data, _, size = files.read(call.path, call.offset, call.length, principal)
    return messages.api_json({"type": "READ_FILE", "read_file": {"size": size, "data": data}})


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Show flags or metrics as the v1 API does."""
    return [{"name": name, "value": value} for name, value in values.items()]


def set_logging_level(call: OperatorCall, sentences: Sentences, *, permitted: bool) -> Response:
    """Answer SET_LOGGING_LEVEL."""
    asked = call.set_logging_level
    if asked is None:
        return sentences.missing("set_logging_level")
    if not permitted:
        return messages.forbidden()
    if asked.duration.nanoseconds < 0:
        return sentences.invalid("Expecting 'duration' to be non-negative")
    if asked.level < VERBOSITY.usual:
        return sentences.invalid(
            f"Expecting 'level' to be at least {VERBOSITY.usual}, that of the start"
        )
    VERBOSITY.set(asked.level, asked.duration.nanoseconds / 1e9)
    return messages.ok()
