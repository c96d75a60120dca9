"""Load for playbooks that change the lab's cluster: a stream of tasks, and word counts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from load import Log, Stream
from support import cluster, inventory, wordcount
from support.wordcount import Count


class Counts(threading.Thread):
    """Counts one after another, each compared with the exact answer, until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.exact = 0
        self.wrong: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Count."""
        client = inventory.group("clients")[0]
        while not self._over.is_set():
            try:
                assert Count(client, 1).result() == wordcount.answer(1), "a wrong count"
                self.exact += 1
            except Exception as problem:
                self.wrong.append(str(problem))

    def stop(self) -> None:
        """Let the last one end."""
        self._over.set()
        self.join(2 * wordcount.LIMIT)


@contextmanager
def load() -> Iterator[Log]:
    """Keep the cluster busy; at the end nothing may have been lost, and each count exact."""
    masters = [f"{node.address}:{cluster.MASTER_PORT}" for node in inventory.group("mesos_masters")]
    counts = Counts()
    with Stream(masters, inventory.account("operator")) as stream:
        counts.start()
        try:
            yield stream.log
            stream.wait_finished(1)
        finally:
            counts.stop()
    print(
        f"{len(stream.log.finished)} tasks finished, {len(stream.log.moved)} moved,"
        f" {len(stream.log.unstarted)} unstarted, {counts.exact} exact counts;"
        f" longest without an offer: {stream.log.longest_gap:.1f} s"
    )
    assert not stream.log.lost, stream.log.lost
    assert not counts.wrong, counts.wrong
    assert counts.exact
