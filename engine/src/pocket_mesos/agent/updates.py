"""Status updates: each task's in order, one at a time, again until acknowledged.

A stream is a task's queue of updates. Its head is sent when it becomes the head and the master is
there, again after 10 s, doubling to 10 min, and again after every registration.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pocket_mesos.agent.settings import UPDATE_RETRY_MAX, UPDATE_RETRY_MIN
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import TERMINAL_STATES, ExecutorID, TaskState, TaskStatus

StreamKey = tuple[str, str]
"""Framework and task."""


@dataclass(slots=True, kw_only=True)
class Stream:
    """Updates of one task."""

    framework_id: str
    task_id: str
    executor_id: ExecutorID | None
    """None for a command task."""
    path: str | None
    """File that its updates are appended to; None: not checkpointed."""
    pending: deque[TaskStatus] = field(default_factory=deque)
    received: set[bytes] = field(default_factory=set)
    acknowledged: set[bytes] = field(default_factory=set)
    interval: float = UPDATE_RETRY_MIN
    waiting: Counter[str] = field(default_factory=Counter)
    """Bytes of pending updates, by framework; shared by all streams."""
    sizes: deque[int] = field(default_factory=deque)
    """Bytes of each of them."""

    @property
    def head(self) -> TaskStatus | None:
        return self.pending[0] if self.pending else None

    @property
    def latest_state(self) -> TaskState | None:
        return self.pending[-1].state if self.pending else None

    @property
    def timer(self) -> tuple[str, ...]:
        return ("update", self.framework_id, self.task_id)

    def next_interval(self) -> float:
        """Return how long to wait for the acknowledgement of what is sent now."""
        interval = self.interval
        self.interval = min(interval * 2, UPDATE_RETRY_MAX)
        return interval

    def add(self, status: TaskStatus) -> None:
        """Queue an update that was not received before."""
        assert status.uuid is not None
        self.received.add(status.uuid)
        self.pending.append(status)
        self.sizes.append(len(codec.encode(status)))
        self.waiting[self.framework_id] += self.sizes[-1]

    def acknowledge(self, uuid: bytes) -> TaskStatus | None:
        """Take the head off when it has this UUID; return it."""
        head = self.head
        if head is None or head.uuid != uuid:
            return None
        self.pending.popleft()
        self.waiting[self.framework_id] -= self.sizes.popleft()
        self.acknowledged.add(uuid)
        self.interval = UPDATE_RETRY_MIN
        return head


class Streams:
    """All streams of an agent."""

    def __init__(self) -> None:
        self._streams: dict[StreamKey, Stream] = {}
        self._waiting: Counter[str] = Counter()

    def find(self, framework_id: str, task_id: str) -> Stream | None:
        return self._streams.get((framework_id, task_id))

    def open(
        self, framework_id: str, task_id: str, executor_id: ExecutorID | None, path: str | None
    ) -> Stream:
        """Return the stream of a task, making it."""
        key = (framework_id, task_id)
        if key not in self._streams:
            self._streams[key] = Stream(
                framework_id=framework_id,
                task_id=task_id,
                executor_id=executor_id,
                path=path,
                waiting=self._waiting,
            )
        return self._streams[key]

    def waiting(self, framework_id: str) -> int:
        """Return the bytes of a framework's updates that are not acknowledged."""
        return self._waiting[framework_id]

    def close(self, stream: Stream) -> None:
        self._waiting[stream.framework_id] -= sum(stream.sizes)
        if not self._waiting[stream.framework_id]:
            del self._waiting[stream.framework_id]
        del self._streams[stream.framework_id, stream.task_id]

    def of_framework(self, framework_id: str) -> list[Stream]:
        return [one for one in self._streams.values() if one.framework_id == framework_id]

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    def __len__(self) -> int:
        return len(self._streams)


def is_terminal(status: TaskStatus) -> bool:
    """Tell whether a task is over with this update."""
    return status.state in TERMINAL_STATES


def replayed(
    stream: Stream, records: Iterable[tuple[TaskStatus | None, bytes]]
) -> list[TaskStatus]:
    """Fill a stream from its checkpoint and return all updates that were ever received.

    Args:
        stream: an empty one.
        records: (update, its UUID) or (None, the UUID of an acknowledged one), in order.
    """
    updates = []
    for status, uuid in records:
        if status is None:
            stream.acknowledge(uuid)
        elif uuid not in stream.received:
            stream.add(status)
            updates.append(status)
    return updates
