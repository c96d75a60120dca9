"""What a master tells about itself, as znodes hold it."""

import json
from ipaddress import IPv4Address

from pocket_mesos import MESOS_VERSION
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import Address, Capability, MasterInfo

CAPABILITIES = ("AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2")
"""Those of Mesos 1.12; clients read them."""


def master_info(*, id_: str, ip: str, port: int, hostname: str) -> MasterInfo:
    """Describe a master."""
    return MasterInfo(
        id=id_,
        ip=int.from_bytes(IPv4Address(ip).packed, "little"),
        port=port,
        pid=f"master@{ip}:{port}",
        hostname=hostname,
        version=MESOS_VERSION,
        address=Address(hostname=hostname, ip=ip, port=port),
        capabilities=[Capability(type=name) for name in CAPABILITIES],
    )


def encode(info: MasterInfo) -> bytes:
    """Write the znode's data: JSON with sorted keys, as real Mesos does."""
    return json.dumps(codec.to_builtins(info), sort_keys=True, separators=(",", ":")).encode()


def decode(data: bytes) -> MasterInfo:
    """Read a znode's data.

    Raises:
        ProtocolError: it is no MasterInfo.
    """
    return codec.decode(data, MasterInfo, "MasterInfo")


def endpoint(info: MasterInfo) -> tuple[str, int]:
    """Return the IP address (or host name) and port where a master listens."""
    if info.address is not None and info.address.ip is not None:
        return info.address.ip, info.address.port
    return str(IPv4Address(info.ip.to_bytes(4, "little"))), info.port
