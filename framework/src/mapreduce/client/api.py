"""Running a job from Python: what the command `mapreduce run` does, for notebooks and scripts.

`run` prepares (finds job, inputs and leader, before anything is started) and then runs. The command
does the same in these two steps, as a signal means something else in either.
"""

import contextlib
import hashlib
import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from mapreduce.client import accounts, output, progress, settings, summary
from mapreduce.client.output import OutputError
from mapreduce.client.progress import Progress, Status
from mapreduce.errors import UsageError
from mapreduce.inputs import inputs as finding
from mapreduce.inputs import storage
from mapreduce.job import BUILTIN, PICKLED, Job, load, split_name
from mapreduce.scheduler import journal, leader
from mapreduce.scheduler.spec import Place, RunSpec

if TYPE_CHECKING:
    from mapreduce.scheduler.result import Result

Named: TypeAlias = str | os.PathLike[str]

AnyJob: TypeAlias = Job[Any, Any]

PICKLE = f"job{PICKLED}"
"""The name under which agents load a job that is an object."""

_importing = threading.Lock()


def run(
    job: str | type[AnyJob] | AnyJob,
    inputs: Named | Iterable[Named],
    *,
    master: str | None = None,
    arguments: Mapping[str, object] | None = None,
    packages: Sequence[Named] = (),
    output: Named | None = None,
    plot: Named | None = None,
    top: int | None = None,
    resume: bool = False,
    storage: Named | None = None,
    credential: Named | None = None,
    advertise: str | None = None,
    executor: str | None = None,
    user: str | None = None,
    wait: float = settings.WAIT,
    progress: Progress | None = None,
) -> "Result":
    """Run a job on a cluster and return its result, complete.

    `job` is a built-in's name, `path/to/file.py:name`, a Job class, or a Job. A class or an object
    travels to the agents by cloudpickle, with the modules that define it: they need the same minor
    version of Python. `arguments` are the job's settings. `inputs` are files, folders, globs and
    URLs; `master` is `host:port` or `zk://host:2181,host:2181/path`, by default $MAPREDUCE_MASTER.
    With `top`, only so many first rows are brought back, unless there is an `output`, a file that
    gets all rows (.tsv, .csv, .json, .parquet). `plot` is a .png or .svg file.

    `progress` shows how the run goes; by default, a terminal gets a live view of it, and otherwise
    only what needs attention is written to standard error. The other options are those of the
    command `mapreduce run`, which explains them.

    The result keeps its rows in files: close it, or use it in a `with` statement. Raises the
    exceptions of `mapreduce.errors`; whatever is raised, also KeyboardInterrupt, nothing is left
    running. Can be called from any thread, and again.
    """
    prepared = prepare(
        job,
        [inputs] if isinstance(inputs, str | os.PathLike) else inputs,
        Options(
            master=master,
            arguments=arguments or {},
            packages=[Path(package) for package in packages],
            output=_path(output),
            plot=_path(plot),
            top=top,
            resume=resume,
            storage=_path(storage),
            credential=_path(credential),
            advertise=advertise,
            executor=executor,
            user=user,
            wait=wait,
        ),
        progress or _quiet(),
    )
    return prepared.run()


def _path(name: Named | None) -> Path | None:
    return None if name is None else Path(name)


def _quiet() -> Progress:
    return progress.Live() if sys.stderr.isatty() else progress.Messages()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run; see `run`."""

    master: str | None = None
    arguments: Mapping[str, object] = field(default_factory=dict)
    packages: Sequence[Path] = ()
    output: Path | None = None
    plot: Path | None = None
    top: int | None = None
    resume: bool = False
    storage: Path | None = None
    credential: Path | None = None
    advertise: str | None = None
    executor: str | None = None
    user: str | None = None
    wait: float = settings.WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that can begin: nothing is running yet."""

    spec: "RunSpec"
    place: "Place"
    options: Options
    progress: Progress
    cleanup: contextlib.ExitStack

    def size(self, result: "Result") -> int:
        """Return the bytes of the inputs; where one does not tell, those that were read."""
        sizes = [given.size for given in self.spec.inputs if given.size is not None]
        return sum(sizes) if len(sizes) == len(self.spec.inputs) else summary.read(result.timeline)

    def run(self) -> "Result":
        """Run, write and draw what is wanted. Raises as `mapreduce.client.api.run` does."""
        scheduler = import_scheduler()
        with self.cleanup:
            result: Result = scheduler.run(self.spec, self.place, self.progress)
            try:
                self._present(result)
            except OutputError as error:
                result.keep()
                raise OutputError(
                    f"{error} The result is kept: --resume writes it without running the job."
                ) from error
            except BaseException:
                result.close()
                raise
        return result

    def _present(self, result: "Result") -> None:
        began = time.monotonic()
        self.progress.show(Status(phase="output"))
        if self.options.output is not None:
            output.write(self.options.output, result.rows)
        if self.options.plot is not None:
            from mapreduce.client import plot

            plot.write(self.options.plot, self.spec.name, result)
        if self.options.top is not None and self.options.output is None:
            result.limit = self.options.top
        result.phases["output"] = time.monotonic() - began


def prepare(
    job: str | type[AnyJob] | AnyJob,
    inputs: Iterable[Named],
    options: Options,
    shown: Progress,
) -> Prepared:
    """Find all that a run needs; raises UsageError, or ClusterError where there is no leader."""
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shown.close)
        _check_results(options)
        name, loaded, job_file = _job(job, options, cleanup)
        _check_packages(options.packages)
        known = storage.load(options.storage)
        found = _inputs([os.fspath(given) for given in inputs], known, shown)
        place = _place(options, shown)
        spec = RunSpec(
            name=name,
            job=loaded,
            inputs=found,
            storage=known,
            arguments=_texts(options.arguments) if isinstance(job, str) else {},
            packages=options.packages,
            job_file=job_file,
            top=_wanted(options),
            resume=options.resume,
        )
        if job_file is not None and name == PICKLE:
            # Objects all have the same name: what they are tells their runs apart.
            about = {**spec.identity(place.master.text), "digest": _digest(job_file)}
            spec = replace(spec, folder=journal.run_folder(about))
        held = cleanup.pop_all()
    return Prepared(spec=spec, place=place, options=options, progress=shown, cleanup=held)


def _check_results(options: Options) -> None:
    if options.top is not None and options.top < 0:
        raise UsageError(f"top={options.top} is no number of rows: give 0, 1, 2, ...")
    if options.output is not None:
        output.check(options.output)
    if options.plot is not None:
        from mapreduce.client import plot

        plot.check(options.plot)


def _check_packages(packages: Sequence[Path]) -> None:
    """Raise UsageError where agents, which fetch all into one folder, would miss a package."""
    names = [package.name for package in packages]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"Two packages have the name {twice[0]!r}: give one another name.")


def _wanted(options: Options) -> int | None:
    """Return how many rows must be brought back; None for all."""
    if options.output is not None or options.top is None:
        return None
    if options.plot is None:
        return options.top
    from mapreduce.client import plot

    return max(options.top, plot.KEYS)


# Job


def _job(
    job: str | type[AnyJob] | AnyJob, options: Options, cleanup: contextlib.ExitStack
) -> tuple[str, AnyJob, Path | None]:
    """Return the name that agents load the job by, the job, and the file that they fetch."""
    if isinstance(job, str):
        loaded = load(job, _texts(options.arguments), packages=options.packages)
        return job, loaded, None if job in BUILTIN else split_name(job)[0]
    made = _made(job, options.arguments)
    pickled = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="mapreduce-")))
    (pickled / PICKLE).write_bytes(_pickled(made, options.packages))
    return PICKLE, made, pickled / PICKLE


def _made(job: type[AnyJob] | AnyJob, arguments: Mapping[str, object]) -> AnyJob:
    if isinstance(job, Job):
        if arguments:
            raise UsageError("A job that is an object has its settings; a class takes arguments.")
        return job
    if not (isinstance(job, type) and issubclass(job, Job)):
        raise UsageError(f"{job!r} is no job: neither a name, nor a mapreduce.Job, nor its class.")
    try:
        return job(**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The job {job.__name__!r} cannot be made: {error}.") from error


def _texts(arguments: Mapping[str, object]) -> dict[str, str]:
    """Return settings as the command line would have them."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for name, value in arguments.items()
    }


def _pickled(job: AnyJob, packages: Sequence[Path]) -> bytes:
    """Return the job with the modules of its classes, as far as agents cannot import them."""
    import cloudpickle

    modules = {cls.__module__ for cls in type(job).__mro__}
    with contextlib.ExitStack() as stack:
        for module in (sys.modules[name] for name in modules if not _on_agents(name, packages)):
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        try:
            return bytes(cloudpickle.dumps(job))
        except (TypeError, AttributeError, ValueError, pickle.PicklingError) as error:
            raise UsageError(f"The job cannot be sent to the agents: {error}.") from error


def _on_agents(module: str, packages: Sequence[Path]) -> bool:
    top = module.partition(".")[0]
    file = getattr(sys.modules[module], "__file__", None) or ""
    shipped = any(file.startswith(f"{package.resolve()}{os.sep}") for package in packages)
    return shipped or top in {"mapreduce", "__main__", *sys.stdlib_module_names}


def _digest(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=10).hexdigest()


# Inputs


def _inputs(names: Sequence[str], known: storage.Storage, shown: Progress) -> list[finding.Input]:
    found = finding.find(names, known)
    empty = [name for name in names if _without_files(name, found)]
    if not found:
        folders = ", ".join(map(repr, empty))
        raise UsageError(
            f"There is nothing to read: no file is in {folders}."
            if empty
            else "There is nothing to read: no input is given."
        )
    for name in empty:
        shown.say(f"There is no file in the folder {name!r}.")
    return found


def _without_files(name: str, found: Sequence[finding.Input]) -> bool:
    if not Path(name).is_dir():
        return False
    beginning = finding.shown(Path(name) / "x")[:-1]
    return not any(given.name.startswith(beginning) for given in found)


# Cluster


def _place(options: Options, shown: Progress) -> "Place":
    address = _address(options)
    credential = settings.credential(options.credential) or accounts.find(address)
    leading = leader.find(address, options.wait, shown.say)
    return Place(
        master=address,
        leader=leading,
        tasks=settings.tasks(options.executor, options.user, local=leader.is_local(leading)),
        advertise=options.advertise or settings.from_environment("advertise"),
        wait=options.wait,
        credential=credential,
    )


def _address(options: Options) -> leader.Address:
    text = options.master or settings.from_environment("master")
    if not text:
        raise UsageError("Where is the cluster? Give --master or set MAPREDUCE_MASTER.")
    address = leader.Address(text)
    address.check()
    return address


def import_scheduler() -> ModuleType:
    """Import what runs jobs, and PyMesos with it, such that no signal and no log is touched.

    PyMesos takes over SIGINT when it is imported, for which it has to be the main thread that
    does it, and writes its log to standard error.
    """
    log = logging.getLogger("pymesos")
    level = log.level
    with _importing, _signals_left_alone():
        from mapreduce.scheduler import scheduler
    log.setLevel(level)
    for name in ("pymesos", "kazoo", "mapreduce"):
        # Whoever wants to see them sets up the root.
        logging.getLogger(name).handlers[:] = [logging.NullHandler()]
    return scheduler


@contextlib.contextmanager
def _signals_left_alone() -> Iterator[None]:
    def ignore(number: int, handler: Any) -> Any:
        return signal.getsignal(number)

    setting = signal.signal
    signal.signal = ignore  # type: ignore[assignment]  # its type, less general
    try:
        yield
    finally:
        signal.signal = setting
