"""Make an archive that holds what another holds, and a file more: later.py FROM TO."""

import io
import sys
import tarfile
from pathlib import Path

source, target = map(Path, sys.argv[1:])
if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
    with (
        tarfile.open(source, "r|gz") as earlier,
        tarfile.open(target, "w:gz", compresslevel=1) as later,
    ):
        for entry in earlier:
            later.addfile(entry, earlier.extractfile(entry) if entry.isreg() else None)
        note = tarfile.TarInfo("./share/mesos/LATER")
        note.size, note.mode = 1, 0o644
        later.addfile(note, io.BytesIO(b"\n"))
