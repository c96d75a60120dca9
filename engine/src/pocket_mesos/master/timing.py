"""Durations of the recent past and what /metrics/snapshot shows of them."""

from collections import deque

_KEPT = 1000
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "p9999": 0.9999}


class Timing:
    """The latest durations of one kind of work, in milliseconds."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=_KEPT)

    def add(self, milliseconds: float) -> None:
        """Note a duration."""
        self._latest.append(milliseconds)

    def shown(self, name: str) -> dict[str, float]:
        """Return the latest duration and the statistics of all that are kept."""
        if not self._latest:
            return {}
        ordered = sorted(self._latest)
        last = len(ordered) - 1
        return {
            name: self._latest[-1],
            f"{name}/count": float(len(ordered)),
            f"{name}/max": ordered[-1],
            f"{name}/min": ordered[0],
        } | {f"{name}/{p}": ordered[round(part * last)] for p, part in _PERCENTILES.items()}
