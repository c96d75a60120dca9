"""What only `make test-full` runs, so that `make test` stays below half an hour."""

import os

import pytest

takes_minutes = pytest.mark.skipif(
    "MESOS_LAB_FULL" not in os.environ, reason="takes minutes: make test-full sets MESOS_LAB_FULL"
)
