"""What the core needs to know of the flags and of this process."""

from dataclasses import dataclass

from pocket_mesos.authorization import OPEN, Authorizer
from pocket_mesos.protocol.mesos import ContainerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Durations are in seconds."""

    work_dir: str
    launcher_dir: str
    ip: str
    """Address that executors and the master are told."""
    port: int
    switch_user: bool = True
    executor_registration_timeout: float = 60.0
    executor_reregistration_timeout: float = 2.0
    executor_shutdown_grace_period: float = 5.0
    recovery_timeout: float = 900.0
    registration_backoff_factor: float = 1.0
    max_completed_executors_per_framework: int = 150
    executor_environment: tuple[tuple[str, str], ...] = ()
    """The flag ``executor_environment_variables``."""
    libprocess_ip: str | None = None
    """The flag ``ip``, which executors get to see."""
    default_container: ContainerInfo | None = None
    """What executors that ask for nothing want of isolators."""
    authorizer: Authorizer = OPEN

    @property
    def endpoint(self) -> str:
        return f"{self.ip}:{self.port}"

    @property
    def pid(self) -> str:
        """Name of the agent as libprocess would have it."""
        return f"slave(1)@{self.endpoint}"


REGISTER_RETRY_MAX = 60.0
UPDATE_RETRY_MIN = 10.0
UPDATE_RETRY_MAX = 600.0
COMMAND_EXECUTOR_CPUS = 0.1
COMMAND_EXECUTOR_MEM = 32.0
"""MB; what the agent adds to a command task for its executor."""

CAPABILITIES = (
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESOURCE_PROVIDER",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
)
"""What an agent of the reproduced release tells the master."""
