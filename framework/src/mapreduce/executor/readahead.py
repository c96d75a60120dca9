"""Reading ahead: one thread takes in what the next steps need while another works.

A feed is what one task takes in. The reader fills the feeds of its tasks one after the other, so
far ahead as the budget that they share allows; the worker empties them in the same order.
"""

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T", bound=bytes)


class Budget:
    """Bytes that may lie ready; an item above it lies ready alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.changed = threading.Condition()


class Feed(Generic[T]):
    """A task's items, from `fill` on one thread to iteration on another, once.

    Leaving the `with` block ends the filling, too. `waited` is how many seconds the worker waited
    for items.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._filled = False
        self._closed = False
        self.waited = 0.0

    def fill(self, items: Generator[T, None, None]) -> None:
        """Take in items until they end, fail, or are not wanted any more."""
        error: BaseException | None = None
        try:
            for item in items:
                if not self._put(item):
                    break
            items.close()
        except BaseException as raised:  # the worker's to handle
            error = raised
        with self._budget.changed:
            self._error, self._filled = error, True
            self._budget.changed.notify_all()

    def _put(self, item: T) -> bool:
        budget = self._budget
        with budget.changed:
            while budget.used and budget.used + len(item) > budget.limit and not self._closed:
                budget.changed.wait()
            if self._closed:
                return False
            budget.used += len(item)
            self._items.append(item)
            budget.changed.notify_all()
            return True

    def __iter__(self) -> Iterator[T]:
        """Yield the items as they come in; raises what reading them raised."""
        while (item := self._get()) is not None:
            yield item

    def _get(self) -> T | None:
        budget = self._budget
        with budget.changed:
            if not self._items and not self._filled:
                began = time.monotonic()
                while not self._items and not self._filled:
                    budget.changed.wait()
                self.waited += time.monotonic() - began
            if self._items:
                item = self._items.popleft()
                budget.used -= len(item)
                budget.changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._budget.changed:
            self._closed = True
            self._budget.used -= sum(map(len, self._items))
            self._items.clear()
            self._budget.changed.notify_all()
