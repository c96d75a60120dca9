"""The DRF paper's two frameworks of unlike demands, one task for each offer that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cluster import eventually
from .scheduler import NEVER, Scheduler, command_task, offered, small

if TYPE_CHECKING:
    from .scheduler import Json

DEMANDS = {"a": (1.0, 4096.0), "b": (3.0, 1024.0)}  # cpus and mem of each role's tasks


def launch(framework: Scheduler, role: str, number: int, offer: Json) -> None:
    """Launch a task of this role on an offer."""
    cpus, mem = DEMANDS[role]
    agent_id = offer["agent_id"]["value"]
    task = command_task(f"{role}{number}", agent_id, "sleep 1000", resources=small(cpus, mem))
    framework.launch(offer, task)


def fits(role: str, offer: Json) -> bool:
    """Say whether an offer holds a task of this role."""
    cpus, mem = DEMANDS[role]
    return offered(offer, "cpus") >= cpus and offered(offer, "mem") >= mem


def next_offer(frameworks: dict[str, Scheduler], seen: dict[str, int]) -> tuple[str, Json]:
    """Wait for the next offer to either framework; `seen` counts those taken."""

    found: tuple[str, Json] = eventually(
        lambda: _news(frameworks, seen), "an offer to either framework", pause=0.02
    )
    return found


def refuse(frameworks: dict[str, Scheduler], seen: dict[str, int]) -> None:
    """Decline for good what has been offered and not been taken."""
    while found := _news(frameworks, seen):
        role, offer = found
        frameworks[role].decline(offer, NEVER)


def _news(frameworks: dict[str, Scheduler], seen: dict[str, int]) -> tuple[str, Json] | None:
    for role, framework in frameworks.items():
        batches = [event["offers"] for event in list(framework.events) if event.kind == "OFFERS"]
        offers = [offer for batch in batches for offer in batch]
        if len(offers) > seen[role]:
            seen[role] += 1
            return role, offers[seen[role] - 1]
    return None
