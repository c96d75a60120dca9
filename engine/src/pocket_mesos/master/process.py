"""A master process: flags, election, HTTP server and runner put together."""

import asyncio
import logging
import random
from pathlib import Path
from types import ModuleType

from pocket_mesos.allocator import HierarchicalAllocator, Options
from pocket_mesos.election import (
    SessionState,
    StandaloneDetector,
    ZooKeeperContender,
    ZooKeeperDetector,
    ZooKeeperSession,
    master_info,
    parse_zookeeper,
)
from pocket_mesos.flags.master import MasterFlags
from pocket_mesos.flags.types import parse_rate
from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.files import Files
from pocket_mesos.http.router import Router
from pocket_mesos.http.server import Server
from pocket_mesos.master import security
from pocket_mesos.master.agent_link import AgentLink
from pocket_mesos.master.core import Core
from pocket_mesos.master.endpoints import PREFIXES, Endpoints
from pocket_mesos.master.operator_api import OperatorAPI
from pocket_mesos.master.runner import Runner
from pocket_mesos.master.scheduler_api import SchedulerAPI
from pocket_mesos.master.state import Config
from pocket_mesos.master.webui import index_page
from pocket_mesos.protocol import link
from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import MasterInfo
from pocket_mesos.registry.disk import DiskStore
from pocket_mesos.registry.memory import MemoryStore
from pocket_mesos.registry.records import Registry
from pocket_mesos.registry.registrar import Registrar
from pocket_mesos.registry.store import Store
from pocket_mesos.registry.zookeeper import ZooKeeperStore
from pocket_mesos.resources import Resources, parse_resources

IN_MEMORY = "in_memory"
"""The value of ``--registry`` that keeps nothing."""

_log = logging.getLogger(__name__)


class SettingsError(PocketError):
    """Flags that are right one by one and wrong together."""


class MasterProcess:
    """A master from start to end."""

    def __init__(
        self, flags: MasterFlags, id_: str, network: ModuleType, log_file: Path | None
    ) -> None:
        """Prepare a master.

        Args:
            flags: loaded flags.
            id_: this master's id, a fresh UUID.
            network: offers ``own_address`` and ``host_name``; see ``pocket_mesos.network``.
            log_file: file to show as /master/log.

        Raises:
            SettingsError: flags contradict each other.
            AddressError: ``--zk`` is malformed.
            PocketError: credentials can't be used.
        """
        if flags.zk is not None and flags.registry != IN_MEMORY and flags.quorum is None:
            raise SettingsError(
                "Need to specify --quorum for replicated log based registry when using ZooKeeper"
            )
        self._flags = flags
        self._security = security.load(flags)
        self._id = id_
        self._network = network
        self._log_file = log_file
        self._zk = None if flags.zk is None else parse_zookeeper(flags.zk)
        self._server: Server | None = None
        self._runner: Runner | None = None
        self._session: ZooKeeperSession | None = None
        self._following: asyncio.Task[None] | None = None
        self._weights: dict[str, float] = {}
        self._removal_limit = _share(flags.recovery_agent_removal_limit)

    async def start(self) -> int:
        """Bind, serve, and stand for election.

        Returns:
            The port that is listened on.

        Raises:
            BindError: the address can't be had.
            SettingsError: a flag's value can't be used, or the work folder can't be made.
        """
        flags = self._flags
        self._weights = _weights(flags.weights)
        try:
            flags.work_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"Failed to write to work_dir '{flags.work_dir}': {error.strerror}"
            ) from error
        bind_ip = flags.ip or self._network.own_address()
        router = Router(self._security.authenticators)
        self._server = Server(router)
        port = await self._server.start(bind_ip, flags.port)
        info = self._info(flags.advertise_ip or bind_ip, flags.advertise_port or port)
        if self._zk is not None:
            self._session = ZooKeeperSession(self._zk, flags.zk_session_timeout)
        runner = self._runner = Runner(
            info, lambda registry: self._make_core(info, registry), self._registrar()
        )
        self._route(router, runner)
        _log.info("Master %s (%s) started on %s", info.id, info.hostname, info.pid)
        self._stand(runner, info)
        return port

    def _registrar(self) -> Registrar:
        """Make the registry that the flags ask for, kept where the election is."""
        store: Store
        if self._flags.registry == IN_MEMORY:
            store = MemoryStore()
        elif self._session is not None:
            store = ZooKeeperStore(self._session)
        else:
            store = DiskStore(self._flags.work_dir)
        return Registrar(
            store,
            fetch_timeout=self._flags.registry_fetch_timeout,
            store_timeout=self._flags.registry_store_timeout,
        )

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait until asked to end.

        Raises:
            LeadershipLostError: this master led and does so no more.
        """
        assert self._runner is not None and self._following is not None
        lost = asyncio.ensure_future(self._runner.wait_until_lost())
        asked = asyncio.ensure_future(stop.wait())
        # A master that can't follow the election any more must not stand as if it could.
        ends = {lost, asked, self._following}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            lost.cancel()
            asked.cancel()

    async def stop(self) -> None:
        """End: first the election, so that others take over, then the connections."""
        if self._following is not None:
            self._following.cancel()
        if self._runner is not None:
            await self._runner.stop()
        if self._session is not None:
            await self._session.stop()
        if self._server is not None:
            await self._server.stop()

    def _info(self, ip: str, port: int) -> MasterInfo:
        hostname = self._flags.hostname
        if hostname is None:
            hostname = self._network.host_name(ip, lookup=self._flags.hostname_lookup)
        return master_info(id_=self._id, ip=ip, port=port, hostname=hostname)

    def _stand(self, runner: Runner, info: MasterInfo) -> None:
        """Contend and follow who wins; without ZooKeeper this master leads at once."""
        session = self._session
        if session is None:
            detector: StandaloneDetector | ZooKeeperDetector = StandaloneDetector(info)
        else:
            session.listen(lambda state: _on_session(runner, state))
            ZooKeeperContender(session, info)
            detector = ZooKeeperDetector(session)
            session.start()
        self._following = asyncio.ensure_future(_follow(runner, detector))

    def _route(self, router: Router, runner: Runner) -> None:
        flags = self._flags
        log_dir = None if flags.log_dir is None else str(flags.log_dir)
        authorizer = self._security.authorizer
        files = Files(self._shown_files, self._may_read)
        Endpoints(runner, authorizer, flags.printed(), flags.cluster, log_dir).add_to(router)
        router.add("", index_page(flags.webui_dir), exact=True, prefixes=PREFIXES)
        schedulers = SchedulerAPI(runner)
        router.add("/api/v1/scheduler", schedulers.handle, prefixes=PREFIXES, realm=Realm.SCHEDULER)
        operator = OperatorAPI(runner, authorizer, flags.printed(), files)
        router.add("/api/v1", operator.handle, prefixes=PREFIXES, realm=Realm.READWRITE)
        agents = AgentLink(runner, authenticate=flags.authenticate_agents)
        router.add(link.PATH, agents.handle, realm=Realm.AGENT)
        files.register(router, authorizer.endpoint_permit("/files/debug"))

    def _shown_files(self) -> dict[str, str]:
        shown = self._flags.external_log_file or self._log_file
        return {} if shown is None else {"/master/log": str(shown)}

    def _may_read(self, _name: str, principal: str | None) -> bool:
        """Whether somebody may read the log, which is all that a master shows."""
        return self._security.authorizer.approver("access_mesos_logs", principal).approves()

    def _make_core(self, info: MasterInfo, registry: Registry) -> Core:
        flags = self._flags
        options = Options(
            least=_least(flags.min_allocatable_resources),
            excluded=tuple(_names(flags.fair_sharing_excluded_resource_names)),
            interval=flags.allocation_interval,
            filter_gpus=flags.filter_gpu_resources,
            shuffle=random.shuffle,
        )
        roles = _names(flags.roles)
        rate = flags.agent_removal_rate_limit
        config = Config(
            master=info,
            allocation_interval=flags.allocation_interval,
            offer_timeout=flags.offer_timeout,
            agent_ping_timeout=flags.agent_ping_timeout,
            max_agent_ping_timeouts=flags.max_agent_ping_timeouts,
            agent_reregister_timeout=flags.agent_reregister_timeout,
            agent_removal_interval=0.0 if rate is None else parse_rate(rate),
            max_completed_frameworks=flags.max_completed_frameworks,
            framework_metrics=flags.publish_per_framework_metrics,
            max_completed_tasks=flags.max_completed_tasks_per_framework,
            max_unreachable_tasks=flags.max_unreachable_tasks_per_framework,
            root_submissions=flags.root_submissions,
            roles=frozenset(roles) | {"*"} if flags.roles is not None else None,
            authorizer=self._security.authorizer,
            max_subscribers=flags.max_operator_event_stream_subscribers,
            weights=tuple(self._weights.items()),
            registry_gc_interval=flags.registry_gc_interval,
            registry_max_agent_age=flags.registry_max_agent_age,
            registry_max_agent_count=flags.registry_max_agent_count,
            recovery_agent_removal_limit=self._removal_limit,
            allocator_agent_recovery_factor=flags.allocator_agent_recovery_factor,
            allocator_recovery_timeout=flags.allocator_recovery_timeout,
        )
        return Core(config, HierarchicalAllocator(options), registry)


async def _follow(runner: Runner, detector: StandaloneDetector | ZooKeeperDetector) -> None:
    leader: MasterInfo | None = None
    while True:
        leader = await detector.detect(leader)
        runner.follow(leader)


def _on_session(runner: Runner, state: SessionState) -> None:
    match state:
        case SessionState.SUSPENDED:
            runner.suspend()
        case SessionState.CONNECTED:
            runner.resume()
        case SessionState.LOST:
            runner.session_lost()


def _least(text: str) -> tuple[Resources, ...]:
    return tuple(Resources.of(parse_resources(part)) for part in text.split("|"))


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _share(percentage: str) -> float:
    """Read ``100%`` or ``100``.

    Raises:
        SettingsError: that is no percentage.
    """
    try:
        share = float(percentage.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SettingsError(
            "Invalid value for --recovery_agent_removal_limit "
            f"'{percentage}': expecting a percentage from 0% to 100%"
        )
    return share


def _weights(text: str | None) -> dict[str, float]:
    """Read ``role=weight,role=weight``.

    Raises:
        SettingsError: a part is no such pair.
    """
    weights = {}
    for pair in _names(text):
        role, _, weight = pair.partition("=")
        try:
            weights[role] = float(weight)
        except ValueError:
            raise SettingsError(f"Invalid --weights: expecting role=weight, got '{pair}'") from None
        if not weights[role] > 0:
            raise SettingsError(f"Invalid --weights: weight of '{role}' must be positive")
    return weights
