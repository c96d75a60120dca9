"""Isolators: each limits or measures one kind of resource of a container.

The names are those of the flag ``isolation``; ``create`` makes the isolators that it names.
"""

from pocket_mesos.containerizer.isolators.base import Isolator, Watcher
from pocket_mesos.containerizer.isolators.factory import (
    IsolationSettings,
    check,
    create,
    default_launcher,
)

__all__ = ["IsolationSettings", "Isolator", "Watcher", "check", "create", "default_launcher"]
