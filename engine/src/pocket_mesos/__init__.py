"""Pocket Mesos: Mesos' master and agent in Python."""

MESOS_VERSION = "1.12.0"
"""The release of Apache Mesos whose behaviour this engine reproduces; /version tells it."""
