"""Pack what some distributions need of a wheelhouse: pack_wheels.py WHEELHOUSE KEY TARBALL NAME...

KEY names the node's Python, as in cp311-x86_64. Runs on the controller. Prints the MB that
the packed wheels and what is installed from them take.
"""

import os
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

BYTECODE = 4 / 3
"""How much larger Python makes what it compiles."""


def environment(key):
    """Return what markers ask about, for a node's Python."""
    python, machine = key.removeprefix("cp").split("-", 1)
    version = f"{python[0]}.{python[1:]}"
    return default_environment() | {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_version": f"{version}.0",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
    }


def requirements(wheel):
    """Return what a wheel says it needs."""
    with zipfile.ZipFile(wheel) as archive:
        file = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(file).decode()
    return map(Requirement, HeaderParser().parsestr(text).get_all("Requires-Dist") or [])


def closure(wheels, wanted, about):
    """Return the names of what is wanted and all that it needs; pip says what is missing."""
    waiting = [Requirement(text) for text in wanted]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen or name not in wheels:
                continue
            seen.add((name, extra))
            waiting += [
                needed
                for needed in requirements(wheels[name])
                if not needed.marker or needed.marker.evaluate(about | {"extra": extra})
            ]
    return sorted({name for name, _ in seen})


def main():
    """Write the tarball; several runs may do so at once."""
    wheelhouse, key, tarball, *wanted = sys.argv[1:]
    wheels = {parse_wheel_filename(path.name)[0]: path for path in Path(wheelhouse).glob("*.whl")}
    needed = [wheels[name] for name in closure(wheels, wanted, environment(key))]
    new = f"{tarball}.{os.getpid()}"
    with tarfile.open(new, "w") as archive:
        for wheel in needed:
            archive.add(wheel, wheel.name)
    Path(new).rename(tarball)
    packed = sum(wheel.stat().st_size for wheel in needed)
    files = (file for wheel in needed for file in zipfile.ZipFile(wheel).filelist)
    installed = sum(file.file_size for file in files)
    sys.stdout.write(str(round((packed + installed * BYTECODE) / 1e6)))


main()
