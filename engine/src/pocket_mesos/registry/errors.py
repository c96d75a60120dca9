"""What can go wrong with the registry; each of these ends the master."""

from pocket_mesos.protocol.errors import PocketError


class RegistryError(PocketError):
    """The registry can't be read or written; the environment's fault."""


class CorruptRecordError(RegistryError):
    """A record is there and makes no sense."""

    def __init__(self, place: str, reason: str) -> None:
        """Name the record by where it is kept."""
        super().__init__(
            f"Registry record {place} is unreadable: {reason}; restore it, or delete it to go on "
            "without it"
        )
        self.place = place


class FencedError(RegistryError):
    """This master is not the leader any more: the store takes nothing from it."""
