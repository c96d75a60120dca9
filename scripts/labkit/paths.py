"""Where things are kept."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".lab" / "cache"
WHEELHOUSES = CACHE / "wheelhouse"
LABS = ROOT / ".lab"
