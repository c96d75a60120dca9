"""Where things are on disk: Mesos' layout of work_dir and its ``meta`` folder."""


class Paths:
    """Paths below one work_dir, for one agent id once it is known."""

    def __init__(self, work_dir: str) -> None:
        self.work_dir = work_dir.rstrip("/")
        self.meta = f"{self.work_dir}/meta"
        self.boot_id = f"{self.meta}/boot_id"
        self.latest = f"{self.meta}/slaves/latest"

    def agent_meta(self, agent: str) -> str:
        return f"{self.meta}/slaves/{agent}"

    def agent_info(self, agent: str) -> str:
        return f"{self.agent_meta(agent)}/slave.info"

    def deactivation(self, agent: str) -> str:
        return f"{self.agent_meta(agent)}/deactivation"

    def framework_meta(self, agent: str, framework: str) -> str:
        return f"{self.agent_meta(agent)}/frameworks/{framework}"

    def framework_info(self, agent: str, framework: str) -> str:
        return f"{self.framework_meta(agent, framework)}/framework.info"

    def executor_meta(self, agent: str, framework: str, executor: str) -> str:
        return f"{self.framework_meta(agent, framework)}/executors/{executor}"

    def run_meta(self, agent: str, framework: str, executor: str, container: str) -> str:
        return f"{self.executor_meta(agent, framework, executor)}/runs/{container}"

    def framework_work(self, agent: str, framework: str) -> str:
        return f"{self.work_dir}/slaves/{agent}/frameworks/{framework}"

    def sandbox(self, agent: str, framework: str, executor: str, container: str) -> str:
        return f"{self.framework_work(agent, framework)}/executors/{executor}/runs/{container}"


class RunPaths:
    """Checkpoints of one run of an executor."""

    def __init__(self, meta: str) -> None:
        self.meta = meta
        """``…/executors/<executor>/runs/<container>`` below ``meta``."""
        self.executor = meta.rsplit("/runs/", 1)[0]
        self.executor_info = f"{self.executor}/executor.info"
        self.generated = f"{self.executor}/executor_generated_for_command_task"
        self.latest = f"{self.executor}/runs/latest"
        self.forked_pid = f"{meta}/pids/forked.pid"
        self.http_marker = f"{meta}/http.marker"
        self.sentinel = f"{meta}/executor.sentinel"

    def task_info(self, task: str) -> str:
        return f"{self.meta}/tasks/{task}/task.info"

    def task_updates(self, task: str) -> str:
        return f"{self.meta}/tasks/{task}/task.updates"
