"""The master: a pure core (``core.Core``), and the edge that runs it (``server``)."""
