"""The scripts' own modules are tested here: they belong to no distribution."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path += [str(ROOT / "playbooks/filter_plugins"), str(ROOT / "playbooks/module_utils")]
