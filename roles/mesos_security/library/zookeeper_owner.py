#!/usr/bin/python
"""Ansible module: a path of ZooKeeper that one user may write and everybody may read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zookeeper_owner
short_description: Gives a path of ZooKeeper, and all below it, to one user
description:
  - >-
    Makes the path where it is missing. What is there gets the ACL that Mesos gives to what it
    makes: everything for the user, reading for the world. The super user mends what belongs to
    somebody else.
  - Speaks ZooKeeper's protocol itself; needs nothing but Python on the host.
options:
  servers:
    description: The ensemble, as host:port; the first that answers is asked.
    type: list
    elements: str
    required: true
  path:
    description: The path, as /mesos.
    type: str
    required: true
  user:
    description: Name of the user in the scheme digest.
    type: str
    required: true
  secret:
    description: The user's secret.
    type: str
    required: true
  super_secret:
    description: Secret of the ensemble's super user.
    type: str
    required: true
author: Mesos Lab (@mesos-lab)
"""

EXAMPLES = r"""
- name: Ensure the election is the masters' own
  zookeeper_owner:
    servers: [192.0.2.11:2181]
    path: /mesos
    user: mesos
    secret: "{{ mesos_security_zookeeper_secret }}"
    super_secret: "{{ mesos_security_zookeeper_super_secret }}"
"""

RETURN = r"""
changed_paths:
  description: What was made, or belonged to somebody else.
  type: list
  elements: str
  returned: always
"""

import base64  # noqa: E402 - after what documents the module, as Ansible's own have it
import hashlib  # noqa: E402
import itertools  # noqa: E402
import socket  # noqa: E402
import struct  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

TIMEOUT = 10
AUTH_XID = -4
CREATE, GET_ACL, SET_ACL, GET_CHILDREN, AUTH, CLOSE = 1, 6, 7, 8, 100, -11
NO_NODE, NO_AUTH, NODE_EXISTS = -101, -102, -110
READ, ALL = 1, 31


class ZooKeeperError(Exception):
    """The ensemble's answer to a call was an error."""

    def __init__(self, code: int, path: str) -> None:
        super().__init__(f"error {code} at {path}")
        self.code = code
        self.path = path


class Reader:
    """Takes values from a record of Jute, ZooKeeper's encoding."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str = ">i") -> int:
        """Take a number."""
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def text(self) -> str:
        """Take a string."""
        size = max(self.number(), 0)
        value = self._data[self._at : self._at + size]
        self._at += size
        return value.decode()


def text(value: str) -> bytes:
    """Encode a string."""
    return struct.pack(">i", len(value.encode())) + value.encode()


def acl_bytes(acl: set[tuple[int, str, str]]) -> bytes:
    """Encode an ACL."""
    entries = (struct.pack(">i", perms) + text(scheme) + text(id_) for perms, scheme, id_ in acl)
    return struct.pack(">i", len(acl)) + b"".join(entries)


class Session:
    """A session with one server."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self._file = self._socket.makefile("rb")
        self._xids = itertools.count(1)
        self._send(struct.pack(">iqiq", 0, 0, TIMEOUT * 1000, 0) + text("\0" * 16))
        self._receive()

    def _send(self, data: bytes) -> None:
        self._socket.sendall(struct.pack(">i", len(data)) + data)

    def _receive(self) -> Reader:
        head = self._file.read(4)
        if len(head) < 4:
            raise OSError("the connection was closed")
        (size,) = struct.unpack(">i", head)
        return Reader(self._file.read(size))

    def call(self, kind: int, path: str, body: bytes = b"", xid: int | None = None) -> Reader:
        """Call for something about a path; return what follows the header of the answer."""
        number = next(self._xids) if xid is None else xid
        self._send(struct.pack(">ii", number, kind) + body)
        while True:
            answer = self._receive()
            found = answer.number()
            answer.number(">q")
            code = answer.number()
            if found == number:
                break
        if code:
            raise ZooKeeperError(code, path)
        return answer

    def authenticate(self, user: str, secret: str) -> None:
        """Take an identity of the scheme digest, besides those taken before."""
        body = struct.pack(">i", 0) + text("digest") + text(f"{user}:{secret}")
        self.call(AUTH, "/", body, AUTH_XID)

    def acl(self, path: str) -> set[tuple[int, str, str]]:
        """Return the ACL of a path."""
        answer = self.call(GET_ACL, path, text(path))
        return {
            (answer.number(), answer.text(), answer.text()) for _ in range(max(answer.number(), 0))
        }

    def set_acl(self, path: str, acl: set[tuple[int, str, str]]) -> None:
        """Replace the ACL of a path, whatever its version."""
        self.call(SET_ACL, path, text(path) + acl_bytes(acl) + struct.pack(">i", -1))

    def create(self, path: str, acl: set[tuple[int, str, str]]) -> None:
        """Make a lasting node without data."""
        self.call(CREATE, path, text(path) + text("") + acl_bytes(acl) + struct.pack(">i", 0))

    def children(self, path: str) -> list[str]:
        """Return the names below a path."""
        answer = self.call(GET_CHILDREN, path, text(path) + b"\0")
        return [answer.text() for _ in range(max(answer.number(), 0))]

    def close(self) -> None:
        """End the session."""
        self.call(CLOSE, "/")
        self._socket.close()


def digest(user: str, secret: str) -> str:
    """Return the identity that the scheme digest makes of a user and its secret."""
    hashed = hashlib.sha1(f"{user}:{secret}".encode()).digest()
    return f"{user}:{base64.b64encode(hashed).decode()}"


class Owner:
    """Puts the ACL on what lacks it."""

    def __init__(self, session: Session, user: str, secret: str, *, dry: bool) -> None:
        self._session = session
        self._acl = {(ALL, "digest", digest(user, secret)), (READ, "world", "anyone")}
        self._dry = dry
        self.changed: list[str] = []

    def take(self, path: str) -> None:
        """Take the path and all below it; make it, and its parents, where it is missing."""
        try:
            self._take_tree(path)
        except ZooKeeperError as error:
            if error.code != NO_NODE:
                raise
            self.changed.append(path)
            if not self._dry:
                self._create(path)

    def _create(self, path: str) -> None:
        parts = path.strip("/").split("/")
        for depth in range(len(parts)):
            try:
                self._session.create("/" + "/".join(parts[: depth + 1]), self._acl)
            except ZooKeeperError as error:
                if error.code != NODE_EXISTS:
                    raise

    def _take_tree(self, path: str) -> None:
        if self._session.acl(path) != self._acl:
            self.changed.append(path)
            if not self._dry:
                self._session.set_acl(path, self._acl)
        for name in self._session.children(path):
            try:
                self._take_tree(f"{path}/{name}")
            except ZooKeeperError as error:
                # A master's node lives as long as its session.
                if error.code != NO_NODE:
                    raise


def connect(servers: list[str]) -> Session:
    """Open a session with the first server that answers; raise OSError when none does."""
    refusals = []
    for server in servers:
        try:
            return Session(server)
        except OSError as error:
            refusals.append(f"{server}: {error}")
    raise OSError("; ".join(refusals))


def main() -> None:
    """Take the path."""
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "required": True},
            "path": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "secret": {"type": "str", "required": True, "no_log": True},
            "super_secret": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        session = connect(given["servers"])
        session.authenticate(given["user"], given["secret"])
        session.authenticate("super", given["super_secret"])
        owner = Owner(session, given["user"], given["secret"], dry=module.check_mode)
        owner.take(given["path"])
        session.close()
    except OSError as error:
        module.fail_json(msg=f"No ZooKeeper answers: {error}", reason="silence")
    except ZooKeeperError as error:
        module.fail_json(
            msg=f"ZooKeeper refused: {error}",
            reason="NoAuth" if error.code == NO_AUTH else "other",
        )
    module.exit_json(changed=bool(owner.changed), changed_paths=owner.changed)


if __name__ == "__main__":
    main()
