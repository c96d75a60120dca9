"""Containers of executors: launcher (which processes), isolators (which limits), fetcher.

``containerizer`` puts the parts together for the agent; everything here is an edge: it does the
I/O that the agent's core decides.
"""
