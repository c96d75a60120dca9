"""A cluster of the suite's own under authentication and access control lists.

Everybody has a credential of its own: the agent, a framework, an operator who may do
everything, and a reader who may see agents and hardly more.
"""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

from .cluster import Cluster, eventually
from .pocket import Daemon, PocketCluster
from .wire import request

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "conformance-secured"
USER = getpass.getuser()
SECRETS = {
    "agent": "agent-secret-5kV2",
    "framework": "framework-secret-9dQ7",
    "operator": "operator-secret-3xR8",
    "reader": "reader-secret-7hT4",
    "stranger": "stranger-secret-1mW6",
}
"""Of the master; whoever is not named in a list has no rights."""

AGENT_SECRETS = {name: SECRETS[name] for name in ("operator", "reader")}

ANY = {"type": "ANY"}


def by(*principals: str, **objects: Any) -> dict[str, Any]:
    """Make a rule that grants something to some principals."""
    return {"principals": {"values": list(principals)}, **objects}


ACLS = {
    "permissive": False,
    "register_agents": [by("agent", agents=ANY)],
    "register_frameworks": [by("framework", roles={"values": [ROLE, f"{ROLE}/%"]})],
    "run_tasks": [by("framework", users={"values": [USER]})],
    "teardown_frameworks": [by("operator", framework_principals={"values": ["framework"]})],
    "deactivate_agents": [by("operator", agents=ANY)],
    "reactivate_agents": [by("operator", agents=ANY)],
    "drain_agents": [by("operator", agents=ANY)],
    "mark_agents_gone": [by("framework", agents=ANY)],
    "view_frameworks": [by("operator", users=ANY)],
    "view_executors": [by("operator", users=ANY)],
    "view_tasks": [by("operator", users=ANY)],
    "view_containers": [by("operator", users=ANY)],
    "view_roles": [by("operator", roles=ANY)],
    "view_flags": [by("operator", flags=ANY)],
    "get_endpoints": [by("operator", paths=ANY)],
    "access_sandboxes": [by("operator", users=ANY)],
    "access_mesos_logs": [by("operator", logs=ANY)],
}


class SecuredCluster(PocketCluster):
    """A master and an agent that let in whom they know."""

    def credentials(self, name: str, secrets: dict[str, str]) -> str:
        """Write a file of credentials; return its path."""
        given = [{"principal": key, "secret": value} for key, value in secrets.items()]
        return str(self.write(name, {"credentials": given}))

    def credential(self, principal: str, secret: str) -> str:
        """Write a file with one credential; return its path."""
        path = self.write(f"{principal}.json", {"principal": principal, "secret": secret})
        return str(path)

    def write(self, name: str, value: Any) -> Path:
        """Write a file that its owner alone can read."""
        path = self.run / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(value))
        return path

    def secured_master(self, **flags: str) -> Daemon:
        """Start a master that wants to know everybody."""
        return self.start_master(
            credentials=self.credentials("credentials.json", SECRETS),
            acls=f"file://{self.write('acls.json', ACLS)}",
            authenticate_agents="true",
            authenticate_http_readonly="true",
            authenticate_http_readwrite="true",
            authenticate_http_frameworks="true",
            http_framework_authenticators="basic",
            **flags,
        )

    def secured_agent(self, master: str, **flags: str) -> Daemon:
        """Start an agent that authenticates, and wants others to."""
        settings = {
            "credential": self.credential("agent", SECRETS["agent"]),
            "http_credentials": self.credentials("http.json", AGENT_SECRETS),
            "acls": f"file://{self.write('agent-acls.json', ACLS)}",
            "authenticate_http_readonly": "true",
            "authenticate_http_readwrite": "true",
        }
        return self.start_agent(master, **settings, **flags)

    def seen_by_operator(self) -> Cluster:
        """Look at it with the operator's rights, once its agent is active."""
        for daemon in (*self.masters, *self.agents):
            daemon.address = daemon.address.known_as(("operator", SECRETS["operator"]))
        masters = tuple(one.address for one in self.masters if not one.dead)

        def ready() -> bool:
            answers = [request(address, "GET", "/state") for address in masters]
            leading = [one.json() for one in answers if one.status == 200]
            return [one["activated_slaves"] for one in leading] == [1]

        eventually(ready, "one leader, with the agent admitted")
        return Cluster.at(masters, self.agents[0].address)
