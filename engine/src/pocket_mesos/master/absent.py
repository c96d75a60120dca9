"""Endpoints of Mesos' master that Pocket lacks: known, so that they can say so."""

from pocket_mesos.http.messages import Request, Response, text

PATHS = (
    "/create-volumes",
    "/destroy-volumes",
    "/machine/down",
    "/machine/up",
    "/reserve",
    "/unreserve",
)
"""They take POST alone; so would /maintenance/schedule, which can be read."""


def refuse(request: Request) -> Response:
    """Answer what real Mesos would carry out."""
    return text(501, f"Pocket Mesos does not support {request.method} {request.path}")
