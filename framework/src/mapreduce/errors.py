"""What can go wrong, by whose fault it is.

Every message says what was found and what to do; the command prints it and nothing else.
"""


class MapReduceError(Exception):
    """The root of everything that this package raises on purpose."""


class UsageError(MapReduceError):
    """The caller's fault: an input, an option or a job that cannot be used."""


class ClusterError(MapReduceError):
    """The environment's fault: no leader, no agents, an address that cannot be reached."""


class JobFailedError(MapReduceError):
    """The job could not be completed; the message names the block and the reason."""


class SourceError(MapReduceError):
    """An input cannot be read, or holds what no job can take; the message names it."""
