"""The executor's process."""


def main() -> None:
    raise SystemExit("mapreduce-executor is started by a Mesos agent")
