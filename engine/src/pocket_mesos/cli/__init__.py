"""Command lines: wiring only."""
