"""Control groups as files: version 1 (a hierarchy a subsystem) and version 2 (one hierarchy)."""
