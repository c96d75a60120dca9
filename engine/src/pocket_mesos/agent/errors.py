"""What can go wrong in the agent, and whose fault it is."""

from pocket_mesos.protocol.errors import PocketError


class AgentError(PocketError):
    """Root of the agent's errors."""


class IllegalTransitionError(AgentError):
    """A state change that the tables do not allow: a mistake in this program."""


class RecoveryError(AgentError):
    """Checkpoints can't be used; ``str()`` names the file or the difference."""
