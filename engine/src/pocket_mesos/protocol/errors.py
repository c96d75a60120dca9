"""What can be wrong with bytes that a peer sent."""


class PocketError(Exception):
    """Root of the engine's errors; subclasses say whose fault it is."""


class ProtocolError(PocketError):
    """The peer broke the protocol.

    ``str()`` is the sentence that real Mesos answers for the same fault, without a full stop.
    """

    def __init__(self, message: str, *, found: str | None = None) -> None:
        super().__init__(message if found is None else f"{message}: {found}")
        self.found = found
