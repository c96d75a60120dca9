"""Messages and framing: bytes and objects, no I/O.

``mesos`` holds the types that several APIs share, ``scheduler``, ``executor`` and ``link`` the
calls and events of one API each, ``codec`` turns them into bytes and back, ``recordio`` frames
them on a stream.
"""
