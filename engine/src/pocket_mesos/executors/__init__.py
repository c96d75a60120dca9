"""The built-in executors: processes of their own that outlive the agent.

They are started by the thousand, so they import little more than the standard library, and of
that only what is quick to load: no asyncio, dataclasses, typing or logging.
"""
