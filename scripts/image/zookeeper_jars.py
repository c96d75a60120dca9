"""Gather a distribution's ZooKeeper in the layout of Apache's archive: zookeeper_jars.py FOLDER."""

import shutil
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

FIRST = ("/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar")


def class_path(jar: Path) -> list[Path]:
    """Return the libraries that a jar's manifest names, those that are installed."""
    with zipfile.ZipFile(jar) as archive:
        manifest = archive.read("META-INF/MANIFEST.MF").decode().replace("\r\n", "\n")
    # A manifest goes on in the next line after a blank that is not part of it.
    fields = Parser().parsestr(manifest.replace("\n ", ""), headersonly=True)
    named = (jar.parent / name for name in fields.get("Class-Path", "").split())
    return [path for path in named if path.is_file()]


def main() -> None:
    """Copy the server's library and all that it needs."""
    target = Path(sys.argv[1], "lib")
    target.mkdir(parents=True)
    waiting, seen = [Path(name) for name in FIRST], set()
    while waiting:
        jar = waiting.pop().resolve()
        if jar not in seen:
            seen.add(jar)
            shutil.copy(jar, target)
            waiting += class_path(jar)


main()
