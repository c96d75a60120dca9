"""What can go wrong with a container, and whose fault it is."""

from pocket_mesos.protocol.errors import PocketError


class ContainerizerError(PocketError):
    """Root of the containerizer's errors."""


class LaunchError(ContainerizerError):
    """A container could not be started; ``str()`` is the message of its tasks' updates."""


class SandboxError(LaunchError):
    """The sandbox could not be made, so that nothing was started: its tasks were dropped."""


class IsolationError(ContainerizerError):
    """The environment lacks what an isolator or launcher needs; the agent can't start."""


class DestroyError(ContainerizerError):
    """Processes or cgroups of a container could not be removed in time."""
