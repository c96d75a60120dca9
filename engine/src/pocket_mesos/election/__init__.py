"""Who leads: contenders stand for election, detectors tell the result.

``detector_for`` makes the detector that an address asks for; masters with ``--zk`` also make a
``ZooKeeperContender`` on the same session.
"""

from collections.abc import Awaitable, Callable

from pocket_mesos.election.address import (
    AddressError,
    ZooKeeperAddress,
    parse_host,
    parse_zookeeper,
)
from pocket_mesos.election.detector import Detector, StandaloneDetector
from pocket_mesos.election.info import endpoint, master_info
from pocket_mesos.election.zookeeper import (
    SessionState,
    ZooKeeperContender,
    ZooKeeperDetector,
    ZooKeeperSession,
)

__all__ = [
    "AddressError",
    "Detector",
    "SessionState",
    "StandaloneDetector",
    "ZooKeeperAddress",
    "ZooKeeperContender",
    "ZooKeeperDetector",
    "ZooKeeperSession",
    "detector_for",
    "endpoint",
    "master_info",
    "parse_host",
    "parse_zookeeper",
]


async def _nothing() -> None:
    """There is nothing to stop."""


def detector_for(
    master: str, zk_session_timeout: float, resolve: Callable[[str], str]
) -> tuple[Detector, Callable[[], Awaitable[None]]]:
    """Make the detector for an agent's or client's ``--master``.

    Args:
        master: ``zk://…/path`` or ``host:port``.
        zk_session_timeout: seconds.
        resolve: turns a host name into an IPv4 address.

    Returns:
        The detector, and what stops it.

    Raises:
        AddressError: ``master`` is neither form.
    """
    if not master.startswith("zk://"):
        host, port = parse_host(master)
        leader = master_info(id_="", ip=resolve(host), port=port, hostname=host)
        return StandaloneDetector(leader), _nothing
    session = ZooKeeperSession(parse_zookeeper(master), zk_session_timeout)
    detector = ZooKeeperDetector(session)
    session.start()

    async def stop() -> None:
        detector.stop()
        await session.stop()

    return detector, stop
