"""Make a prefix of the bundled engine movable: relocate.py PREFIX.

Scripts that name the prefix they were made in look for it around themselves instead: a shell
starts Python, which takes the shell's part for a string.
"""

import re
import sys
from pathlib import Path

PYTHON = "lib/pocket-mesos/bin/python"
DEPTHS = {"lib/pocket-mesos/bin": 3, "libexec/mesos": 2}
"""Folders of scripts, and how many levels the prefix is above them."""

HEADER = """\
#!/bin/sh
'''exec' "$(dirname "$(readlink -f "$0")"){up}/{python}" {options} "$0" "$@"
' '''
"""


def relocate(script: Path, prefix: str, depth: int) -> None:
    """Rewrite a script that starts the prefix's Python; leave any other alone."""
    text = script.read_text(errors="replace")
    found = re.match(rf"#!{re.escape(f'{prefix}/{PYTHON}')}[0-9.]*(?: (-\w+))?\n", text)
    if found is None:
        return
    header = HEADER.format(up="/.." * depth, python=PYTHON, options=found[1] or "-s")
    inside = f"__import__('os').path.realpath(__file__).rsplit('/', {depth + 1})[0] + '"
    script.write_text(header + text[found.end() :].replace(f"'{prefix}", inside))


def main() -> None:
    """Rewrite all scripts of the prefix."""
    prefix = sys.argv[1]
    for folder, depth in DEPTHS.items():
        for script in Path(prefix, folder).iterdir():
            if not script.is_symlink():
                relocate(script, prefix, depth)


main()
