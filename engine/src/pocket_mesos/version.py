"""What /version tells about this build."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pocket_mesos import MESOS_VERSION

BUILD_USER = "pocket-mesos"


def build_info() -> dict[str, Any]:
    """Return version and build time; the build of a Python package is its installation."""
    built = int(Path(__file__).stat().st_mtime)
    return {
        "build_date": datetime.fromtimestamp(built, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "build_time": float(built),
        "build_user": BUILD_USER,
        "version": MESOS_VERSION,
    }
