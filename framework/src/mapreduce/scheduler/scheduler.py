"""Running a job on a cluster: what is prepared on the client before, and cleared away after.

`mapreduce.scheduler.running` does what happens in between.
"""

import resource
import secrets
from dataclasses import asdict
from pathlib import Path

from mapreduce.client.progress import Progress
from mapreduce.errors import ClusterError, UsageError
from mapreduce.exchange import results
from mapreduce.exchange.server import Content, Server
from mapreduce.scheduler import journal, leader, wire
from mapreduce.scheduler.merging import RunList
from mapreduce.scheduler.result import Result
from mapreduce.scheduler.running import Run
from mapreduce.scheduler.spec import Place, RunSpec
from mapreduce.tables import BUCKETS


def run(spec: RunSpec, place: Place, progress: Progress) -> Result:
    """Run the job and return its result, complete; the caller closes it.

    Raises ClusterError or JobFailedError otherwise. Nothing is left running in either case, nor
    when another exception passes through; nothing is left on disk, unless the cluster is at fault
    and the run could be resumed.
    """
    _allow_files()
    identity = spec.identity(place.master.text)
    folder = journal.Folder(spec.folder or journal.run_folder(identity))
    try:
        saved = _saved(spec, folder, progress)
    except BaseException:
        folder.close()
        raise
    try:
        result = _run(spec, place, progress, folder.path, saved)
    except ClusterError as error:
        if saved is not None or any((folder.path / "results").iterdir()):
            folder.close()
            raise ClusterError(f"{error} --resume goes on from what is done.") from error
        folder.remove()
        raise
    except BaseException:
        folder.remove()
        raise
    result.on_close, result.on_keep = folder.remove, folder.close
    return result


def _allow_files() -> None:
    """Let this process have a file open for each partition, of which there may be a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * BUCKETS if hard == resource.RLIM_INFINITY else min(4 * BUCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _saved(spec: RunSpec, folder: journal.Folder, progress: Progress) -> journal.Saved | None:
    """Return the journal to resume, where that is wanted; clear the folder otherwise."""
    saved = journal.load(folder.path)
    if not spec.resume:
        if saved is not None:
            progress.say("An earlier run of this job was cut off; without --resume it is given up.")
        folder.clear()
        return None
    if saved is None:
        progress.say("There is nothing to resume: starting from the beginning.")
        folder.clear()
    elif saved.head["content"] != spec.content():
        raise UsageError(f"{_changed(saved, spec)} Run it without --resume.")
    return saved


def _changed(saved: journal.Saved, spec: RunSpec) -> str:
    """Say what is not as it was when the run that is to be resumed began."""
    before, now = saved.head["content"], spec.content()
    for kind in ("inputs", "files"):
        for old, new in zip(before[kind], now[kind], strict=False):
            if old != new:
                return f"{new[0]!r} has changed since the run began that is to be resumed."
    return "The run that is to be resumed was begun with other inputs or options."


def _run(
    spec: RunSpec, place: Place, progress: Progress, folder: Path, saved: journal.Saved | None
) -> Result:
    before = saved.head if saved is not None else {}
    for name in ("results", "runs"):
        (folder / name).mkdir(exist_ok=True)
    host = "" if place.advertise else leader.own_address(place.leader)
    run_list = RunList()
    content = Content(
        inputs=list(spec.inputs),
        store=results.Store(folder / "results"),
        runs=folder / "runs",
        run_list=run_list.get,
        shipped=spec.shipped(),
        storage=spec.storage.part([one.url for one in spec.inputs if one.url]).encode(),
    )
    server = Server(
        host,
        before.get("advertised") or place.advertise or host,
        content,
        port=before.get("port", 0),
        token=before.get("token", ""),
    )
    try:
        setup = wire.Setup(**before["setup"]) if before else _setup(spec, place, server)
        log = journal.Journal(folder)
        if saved is None:
            log.begin(
                {
                    "content": spec.content(),
                    "setup": asdict(setup),
                    "advertised": place.advertise or host,
                    "port": server.port,
                    "token": server.token,
                }
            )
        return Run(spec, place, progress, folder, server, setup, run_list, log).run(saved)
    finally:
        server.close()


def _setup(spec: RunSpec, place: Place, server: Server) -> wire.Setup:
    sizes = [one.size for one in spec.inputs]
    return wire.Setup(
        command=place.tasks.executor,
        job=spec.name,
        arguments=dict(spec.arguments),
        shipped={name: server.shipped_url(name) for name in server.content.shipped},
        packages=[package.name for package in spec.packages],
        server=server.url,
        token=secrets.token_urlsafe(16),
        bytes=None if None in sizes else sum(size or 0 for size in sizes),
    )
