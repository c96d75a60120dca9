"""Describe the Python that runs this, as JSON: version, key of its wheels, wheel of its pip.

The wheel that environments get their pip from lies beside the interpreter's own modules, or
where distributions keep it.
"""

import json
import platform
import sys
import sysconfig
from pathlib import Path

try:
    import ensurepip
    import venv  # noqa: F401
except ImportError:
    wheels = []
else:
    folders = [Path(ensurepip.__file__).with_name("_bundled")]
    folders += map(Path, filter(None, [sysconfig.get_config_var("WHEEL_PKG_DIR")]))
    wheels = [str(wheel) for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]

version = sys.version_info[:2]
described = {
    "version": "{}.{}".format(*version),
    "key": "cp{}{}-{}".format(*version, platform.machine()),
    "pip": wheels[-1] if wheels else None,
}
sys.stdout.write(json.dumps(described))
