"""Metrics of this node's Mesos master, Mesos agent and ZooKeeper server, as Prometheus reads them.

    mesos_exporter.py ADDRESS PORT KIND=WHERE...

KIND=WHERE is master=http://host:port, agent=http://host:port or zookeeper=host:port. All are
asked whenever /metrics is; one that gives no answer shows as mesos_exporter_source_up 0, the
others all the same. The account that masters and agents want is the line "principal secret" of
the file $MESOS_EXPORTER_ACCOUNT; an empty file is no account. Python 3.9 or newer and nothing else:
a node of real Mesos has no environment of ours to put a library into.
"""

import base64
import json
import os
import re
import socket
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]

TIMEOUT = 5.0
"""Seconds that a source may take; all are asked at once, and Prometheus waits for 10."""

LABELLED = [
    (re.compile(pattern), name, labels)
    for pattern, name, labels in (
        (r"(.+_ms)/p(\d+)", r"\1", ("quantile",)),
        (r"allocator/mesos/roles/(.+)/shares/dominant", "allocator/dominant_share", ("role",)),
        (r"allocator/mesos/offer_filters/roles/(.+)/active", "allocator/offer_filters", ("role",)),
        (
            r"allocator/mesos/quota/roles/(.*)/resources/([^/]+)/([a-z_]+)",
            r"allocator/quota_\3",
            ("role", "resource"),
        ),
        (r"allocator/mesos/resources/([^/]+)/([a-z_]+)", r"allocator/\2", ("resource",)),
        (
            r"(?:master|slave)/task_([^/]+)/source_([^/]+)/reason_([^/]+)",
            "tasks_ended",
            ("state", "source", "reason"),
        ),
        (r"master/operations/([^/]+)/([^/]+)", "master/operations", ("operation", "state")),
        (r"master/frameworks/([^/]+)/([^/]+)/(.+)", r"framework/\3", ("framework", "id")),
        (r"frameworks/(.+)/(messages_[a-z]+)", r"principal/\2", ("principal",)),
    )
]
"""Names of Mesos that hold more than a name: the pattern, the name left, the labels' names."""


def mesos_samples(snapshot: dict[str, float]) -> Iterator[Sample]:
    """Yield what /metrics/snapshot of a master or an agent says.

    Which of them only grow Mesos does not say, so they are all untyped.
    """
    for key, value in snapshot.items():
        name, labels = _labelled(key)
        yield "mesos_" + re.sub(r"^slave/", "agent/", name), labels, float(value)


def _labelled(key: str) -> tuple[str, Labels]:
    for pattern, template, names in LABELLED:
        match = pattern.fullmatch(key)
        if match:
            # A group that the name is made of is no label.
            used = {int(number) for number in re.findall(r"\\(\d)", template)}
            values = [text for number, text in enumerate(match.groups(), 1) if number not in used]
            if names == ("quantile",):
                values = [f"0.{values[0].rstrip('0')}"]
            return match.expand(template), tuple(zip(names, values, strict=False))
    return key, ()


def zookeeper_samples(answer: str) -> Iterator[Sample]:
    """Yield what a server answers to the four-letter word mntr: a name and a value a line."""
    for line in answer.splitlines():
        name, _, value = line.partition("\t")
        name = "zookeeper_" + name.removeprefix("zk_")
        try:
            yield name, (), float(value)
        except ValueError:
            # server_state and version are words.
            yield name, (("value", value),), 1.0


def ask(kind: str, where: str) -> list[Sample]:
    """Return a source's samples; OSError and ValueError say why there are none."""
    if kind == "zookeeper":
        return list(zookeeper_samples(_four_letter_word(where, "mntr")))
    request = urllib.request.Request(f"{where}/metrics/snapshot")
    account = _account()
    if account:
        token = base64.b64encode(account.replace(" ", ":", 1).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return list(mesos_samples(json.load(answer)))


def _account() -> str:
    return Path(os.environ["MESOS_EXPORTER_ACCOUNT"]).read_text().strip()


def _four_letter_word(where: str, word: str) -> str:
    host, _, port = where.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(word.encode())
        with connection.makefile(encoding="utf-8") as answer:
            return answer.read()


def collect(sources: dict[str, str]) -> list[Sample]:
    """Ask all sources at once; each sample says by a label which one it is of."""
    with ThreadPoolExecutor(len(sources)) as pool:
        asked = {kind: pool.submit(ask, kind, where) for kind, where in sources.items()}
    samples: list[Sample] = []
    for kind, answer in asked.items():
        source = (("source", kind),)
        problem = answer.exception()
        samples.append(("mesos_exporter_source_up", source, float(problem is None)))
        if problem is None:
            samples += [(name, source + labels, value) for name, labels, value in answer.result()]
        else:
            print(f"{kind} at {sources[kind]}: {problem}", file=sys.stderr, flush=True)
    return samples


def exposition(samples: list[Sample]) -> str:
    """Return samples in Prometheus' text format: those of one name together."""
    lines = defaultdict(list)
    for name, labels, value in samples:
        name = re.sub(r"\W", "_", name)
        text = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels)
        lines[name].append(f"{name}{{{text}}} {value!r}\n")
    return "".join(f"# TYPE {name} untyped\n{''.join(lines[name])}" for name in sorted(lines))


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Handler(BaseHTTPRequestHandler):
    """Answers /metrics."""

    sources: dict[str, str] = {}
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the metrics of now."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "Metrics are at /metrics")
            return
        body = exposition(collect(self.sources)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing of each request: there is one every few seconds."""


def main(address: str, port: str, *sources: str) -> None:
    """Serve until the process is ended."""
    Handler.sources = dict(source.split("=", 1) for source in sources)
    with ThreadingHTTPServer((address, int(port)), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
