"""From flags to a running agent; for ``mesos-agent``, and for ``mesos-local`` any number of times.

Order matters: everything that can be refused is refused before anything is changed on disk.
"""

import contextlib
import json
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from pocket_mesos import libexec, network
from pocket_mesos.agent import checkpoints, detect, disk, recovery, security
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.daemon import Daemon
from pocket_mesos.agent.endpoints import Endpoints
from pocket_mesos.agent.errors import RecoveryError
from pocket_mesos.agent.operator_api import OperatorAPI
from pocket_mesos.agent.paths import Paths
from pocket_mesos.agent.settings import Settings
from pocket_mesos.authorization import Authorizer
from pocket_mesos.containerizer import devices, isolators
from pocket_mesos.containerizer.config import Termination
from pocket_mesos.containerizer.containerizer import Containerizer
from pocket_mesos.containerizer.fetching import FetcherSettings
from pocket_mesos.credentials import Credential
from pocket_mesos.election import detector_for
from pocket_mesos.flags.agent import AgentFlags
from pocket_mesos.http.client import Client
from pocket_mesos.http.router import Router
from pocket_mesos.http.server import Server, bind
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import AgentInfo, ContainerInfo
from pocket_mesos.resources import parse_attributes

_ANY = "0.0.0.0"


class StartError(PocketError):
    """The operator has to change something before the agent can start."""


async def serve(
    flags: AgentFlags,
    *,
    log_file: Callable[[], str | None] = lambda: None,
    on_started: Callable[[Daemon], None] = lambda _: None,
) -> int:
    """Run an agent until it exits.

    Args:
        flags: checked.
        log_file: returns the file that /files shows as ``/slave/log``.
        on_started: told the daemon as soon as it takes signals.

    Returns:
        The exit status.

    Raises:
        PocketError: it can't start; ``str()`` says why and what to do.
    """
    async with contextlib.AsyncExitStack() as stack:
        # Before anything is touched: what can be refused without making anything.
        credential = security.credential(flags)
        router = Router(security.authenticators(flags))
        isolators.check(flags.isolation, _launcher(flags), _isolation(flags))
        ip = _own_ip(flags)
        # The port comes first: a second agent on it must not touch what the first one has. Clients
        # can connect from here on; they are answered when recovery is over.
        listener = stack.enter_context(bind(flags.ip or _ANY, flags.port))
        settings = _settings(flags, ip, flags.advertise_port or listener.getsockname()[1])
        info = _info(flags, settings)
        paths = Paths(settings.work_dir)
        found = _recover(flags, paths, info)
        info = replace(info, id=None if found.info is None else found.info.id)
        agent = Agent(settings, info, lambda: uuid.uuid4().bytes, random.SystemRandom().uniform)
        daemon = await _assemble(stack, flags, agent, router, log_file, credential)
        daemon.recover(found, flags.recover == "cleanup")
        server = Server(router)
        await server.serve(listener)
        stack.push_async_callback(server.stop)
        on_started(daemon)
        outcome = await daemon.run(flags.disk_watch_interval)
        if outcome.message is not None:
            raise StartError(outcome.message)
        return outcome.status
    raise AssertionError("unreachable")


def _own_ip(flags: AgentFlags) -> str:
    """Return the address that others are told."""
    given = flags.advertise_ip or flags.ip
    return network.own_address() if given in (None, _ANY) else given


def _settings(flags: AgentFlags, ip: str, port: int) -> Settings:
    environment = json.loads(flags.executor_environment_variables or "{}")
    return Settings(
        work_dir=str(flags.work_dir.absolute()),
        launcher_dir=str(_launcher_dir(flags)),
        ip=ip,
        port=port,
        switch_user=flags.switch_user,
        executor_registration_timeout=flags.executor_registration_timeout,
        executor_reregistration_timeout=flags.executor_reregistration_timeout,
        executor_shutdown_grace_period=flags.executor_shutdown_grace_period,
        recovery_timeout=flags.recovery_timeout,
        registration_backoff_factor=flags.registration_backoff_factor,
        max_completed_executors_per_framework=flags.max_completed_executors_per_framework,
        executor_environment=tuple(environment.items()),
        libprocess_ip=flags.ip,
        default_container=_container_info(flags.default_container_info),
        authorizer=Authorizer(flags.acls),
    )


def _container_info(text: str | None) -> ContainerInfo | None:
    return None if text is None else codec.decode(text.encode(), ContainerInfo, "ContainerInfo")


def _launcher_dir(flags: AgentFlags) -> Path:
    """Return the folder of the helper programs; Pocket's own is filled if need be."""
    if flags.launcher_dir is None:
        folder = libexec.default_dir()
        try:
            libexec.install(folder)
        except OSError as error:
            raise StartError(
                f"Failed to write helper programs into '{folder}': {error.strerror}; "
                "name another folder with --launcher_dir"
            ) from error
        return folder
    folder = flags.launcher_dir.absolute()
    missing = [name for name in libexec.PROGRAMS if not (folder / name).is_file()]
    if missing:
        raise StartError(
            f"The launcher_dir '{folder}' lacks {', '.join(missing)}; "
            f"run 'python -m pocket_mesos.libexec --install {folder}'"
        )
    return folder


def _info(flags: AgentFlags, settings: Settings) -> AgentInfo:
    name = flags.hostname or network.host_name(settings.ip, lookup=flags.hostname_lookup)
    return AgentInfo(
        hostname=name,
        port=settings.port,
        resources=detect.resources(flags.resources, flags.default_role, flags.work_dir),
        attributes=parse_attributes(flags.attributes or ""),
    )


def _recover(flags: AgentFlags, paths: Paths, info: AgentInfo) -> checkpoints.Recovered:
    """Read the checkpoints, and see whether this agent may go on with them."""
    boot_id = detect.boot_id().encode()
    known = Path(paths.boot_id)
    try:
        rebooted = known.exists() and known.read_bytes().strip() != boot_id
        found = checkpoints.Reader(paths, flags.strict, rebooted).read()
    except OSError as error:
        raise RecoveryError(f"Failed to read work_dir '{flags.work_dir}': {error}") from error
    except RecoveryError as error:
        raise RecoveryError(recovery.advice(str(error), paths.latest)) from error
    if found.info is not None:
        message = recovery.incompatibility(
            replace(found.info, id=None), info, flags.reconfiguration_policy
        )
        if message is not None and not rebooted:
            raise RecoveryError(recovery.advice(message, paths.latest))
        if message is not None:
            # After a reboot there is nothing to lose: the machine may come back as another.
            found = checkpoints.Recovered()
    agent_id = None if found.info is None or found.info.id is None else found.info.id.value
    found.finished += checkpoints.former_agents(paths, agent_id)
    return found


def _make_folders(flags: AgentFlags, paths: Paths) -> None:
    """Make runtime_dir, and let the next agent know by work_dir whether the machine rebooted."""
    made = not flags.runtime_dir.exists()
    try:
        flags.runtime_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"Failed to write to runtime_dir '{flags.runtime_dir}': {error.strerror}"
        ) from error
    try:
        disk.write(Path(paths.boot_id), detect.boot_id().encode())
    except OSError as error:
        if made:
            flags.runtime_dir.rmdir()
        raise StartError(f"Failed to write to work_dir '{paths.work_dir}': {error}") from error


async def _assemble(
    stack: contextlib.AsyncExitStack,
    flags: AgentFlags,
    agent: Agent,
    router: Router,
    log_file: Callable[[], str | None],
    credential: Credential | None,
) -> Daemon:
    daemon: Daemon

    def terminated(container_id: str, termination: Termination) -> None:
        daemon.container_terminated(container_id, termination)

    try:
        detector, stop = detector_for(flags.master, flags.zk_session_timeout, network.resolve)
    except OSError as error:
        raise StartError(f"Failed to resolve --master={flags.master}: {error}") from error
    stack.push_async_callback(stop)
    _make_folders(flags, agent.paths)
    containerizer = _containerizer(flags, Path(agent.settings.launcher_dir), terminated)
    client = await stack.enter_async_context(Client())
    collector = disk.GarbageCollector(flags.work_dir, flags.gc_delay, flags.gc_disk_headroom)
    daemon = Daemon(agent, containerizer, collector, client, detector, credential)
    daemon.register(router)
    chosen = {"launcher": _launcher(flags), "launcher_dir": agent.settings.launcher_dir}
    shown = dict(sorted((flags.printed() | chosen).items()))
    endpoints = Endpoints(agent, containerizer, collector, shown, log_file, time.time())
    endpoints.register(router)
    OperatorAPI(agent, endpoints, shown).register(router)
    return daemon


def _containerizer(
    flags: AgentFlags, launcher_dir: Path, terminated: Callable[[str, Termination], None]
) -> Containerizer:
    launcher, made = isolators.create(flags.isolation, _launcher(flags), _isolation(flags))
    fetcher = FetcherSettings(
        program=launcher_dir / "mesos-fetcher",
        stall_timeout=flags.fetcher_stall_timeout,
        frameworks_home=flags.frameworks_home,
        cache_dir=flags.fetcher_cache_dir,
        cache_size=flags.fetcher_cache_size,
    )
    return Containerizer(launcher, made, fetcher, flags.runtime_dir, terminated)


def _launcher(flags: AgentFlags) -> str:
    return flags.launcher or isolators.default_launcher(_isolation(flags))


def _isolation(flags: AgentFlags) -> isolators.IsolationSettings:
    return isolators.IsolationSettings(
        hierarchy=flags.cgroups_hierarchy,
        root=flags.cgroups_root,
        enable_cfs=flags.cgroups_enable_cfs,
        destroy_timeout=flags.cgroups_destroy_timeout,
        count_processes=flags.cgroups_cpu_enable_pids_and_tids_count,
        allowed_devices=devices.entries(flags.allowed_devices),
        disk_watch_interval=flags.container_disk_watch_interval,
        enforce_disk_quota=flags.enforce_container_disk_quota,
        disallow_sharing_pid=flags.disallow_sharing_agent_pid_namespace,
        disallow_sharing_ipc=flags.disallow_sharing_agent_ipc_namespace,
        shm_size=flags.default_container_shm_size,
    )
