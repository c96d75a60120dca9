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
  - Needs nothing but Python on the host, and playbooks/module_utils on the controller.
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

from ansible.module_utils import zookeeper_client  # noqa: E402
from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.zookeeper_client import (  # noqa: E402
    CREATE,
    GET_ACL,
    GET_CHILDREN,
    NO_AUTH,
    NO_NODE,
    SET_ACL,
    Client,
    Reader,
    Request,
    packed_acl,
    packed_buffer,
    packed_text,
    read,
)

TIMEOUT = 10
NODE_EXISTS = -110
PERSISTENT = bytes(4)
ANY_VERSION = b"\xff" * 4
READ, ALL = 1, 31


class RefusedError(Exception):
    """The ensemble's answer to a request was an error."""

    def __init__(self, code: int, path: str) -> None:
        super().__init__(f"{zookeeper_client.reason(code)} at {path}")
        self.code = code


class Owner:
    """Puts a user's ACL on what lacks it."""

    def __init__(self, client: Client, user: str, secret: str, *, dry: bool) -> None:
        self._client = client
        hashed = base64.b64encode(hashlib.sha1(f"{user}:{secret}".encode()).digest()).decode()
        self._acl = {(ALL, "digest", f"{user}:{hashed}"), (READ, "world", "anyone")}
        self._dry = dry
        self.changed: list[str] = []

    def take(self, path: str) -> None:
        """Take the path and all below it; make it, and its parents, where it is missing."""
        try:
            self._take_tree(path)
        except RefusedError as error:
            if error.code != NO_NODE:
                raise
            self.changed.append(path)
            if not self._dry:
                self._create(path)

    def _create(self, path: str) -> None:
        parts = path.strip("/").split("/")
        for depth in range(len(parts)):
            part = "/" + "/".join(parts[: depth + 1])
            body = packed_text(part) + packed_buffer(b"") + packed_acl(self._acl) + PERSISTENT
            try:
                self._ask(part, Request(CREATE, body))
            except RefusedError as error:
                if error.code != NODE_EXISTS:
                    raise

    def _take_tree(self, path: str) -> None:
        if set(self._ask(path, read(GET_ACL, path)).acl()) != self._acl:
            self.changed.append(path)
            if not self._dry:
                body = packed_text(path) + packed_acl(self._acl) + ANY_VERSION
                self._ask(path, Request(SET_ACL, body))
        for name in self._ask(path, read(GET_CHILDREN, path)).texts():
            try:
                self._take_tree(f"{path}/{name}")
            except RefusedError as error:
                # A master's node lives as long as its session.
                if error.code != NO_NODE:
                    raise

    def _ask(self, path: str, request: Request) -> Reader:
        reply = self._client.call(request)
        if reply.error:
            raise RefusedError(reply.error, path)
        return reply.body


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
    identities = [f"{given['user']}:{given['secret']}", f"super:{given['super_secret']}"]
    try:
        client = Client(given["servers"], identities, TIMEOUT)
        owner = Owner(client, given["user"], given["secret"], dry=module.check_mode)
        owner.take(given["path"])
        client.close()
    except (OSError, zookeeper_client.ZooKeeperError) as error:
        module.fail_json(msg=str(error), reason="silence")
    except RefusedError as error:
        reason = "NoAuth" if error.code == NO_AUTH else "other"
        module.fail_json(msg=f"ZooKeeper answers: {error}", reason=reason)
    module.exit_json(changed=bool(owner.changed), changed_paths=owner.changed)


if __name__ == "__main__":
    main()
