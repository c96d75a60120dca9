"""The agent: a pure core (``core``: events in, actions out) and the edges that carry actions out.

``state`` holds frameworks, executors and tasks; ``launching``, ``executors``, ``updates`` and
``registration`` decide; ``recovery`` reads checkpoints back; ``daemon`` wires the edges: link to
the master, executor API, containerizer, files, timers.
"""
