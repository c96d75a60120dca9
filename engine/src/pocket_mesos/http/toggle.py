"""/logging/toggle: the process' verbosity, shown, or changed for a while."""

from collections.abc import Callable

from pocket_mesos.flags import parse_duration
from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.messages import Request, Response, bad_request, ok, text
from pocket_mesos.http.router import Permit, Router
from pocket_mesos.http.verbosity import VERBOSITY

PATH = "/logging/toggle"


def register(router: Router, permit: Callable[[str], Permit | None]) -> None:
    """Serve the endpoint; ``permit`` gives the right to a path."""
    router.add(PATH, _toggle, realm=Realm.READWRITE, permit=permit(PATH))


def _toggle(request: Request) -> Response:
    level, duration = request.query.get("level"), request.query.get("duration")
    if level is None and duration is None:
        return text(200, f"{VERBOSITY.level}\n")
    if duration is None:
        return bad_request("Expecting 'duration=value' in query.\n")
    if level is None:
        return bad_request("Expecting 'level=value' in query.\n")
    return _set(level, duration)


def _set(level: str, duration: str) -> Response:
    try:
        wanted = int(level)
    except ValueError:
        return bad_request(f"Failed to convert '{level}' to number.\n")
    if wanted < 0:
        return bad_request(f"Invalid level '{wanted}'.\n")
    if wanted < VERBOSITY.usual:
        return bad_request(f"'{wanted}' < original level.\n")
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        return bad_request(f"{error}.\n")
    VERBOSITY.set(wanted, max(seconds, 0.0))
    return ok()
