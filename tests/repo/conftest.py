"""The scripts' own modules are tested here: they belong to no distribution."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
