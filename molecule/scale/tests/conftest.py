"""What every test of the lab may use comes from the default scenario's support.plugin."""

import os
from pathlib import Path

# Molecule sets it; without Molecule the tests would look at the default scenario's lab.
os.environ.setdefault("MOLECULE_SCENARIO_DIRECTORY", str(Path(__file__).parents[1]))

pytest_plugins = ["support.plugin"]
