"""The agent's flags about security: whom it lets in, and as whom it comes to the master."""

import logging
from collections.abc import Mapping

from pocket_mesos import credentials
from pocket_mesos.flags.agent import AgentFlags
from pocket_mesos.http.authentication import BasicAuthenticator, Realm, basic

log = logging.getLogger(__name__)


def authenticators(flags: AgentFlags) -> Mapping[Realm, BasicAuthenticator]:
    """Read the credentials that endpoints accept.

    The executor API belongs to no realm here: as in Mesos without ``authenticate_http_executors``,
    it is open to executors that know nothing of credentials.

    Raises:
        CredentialsError: the file can't be used.
        NoCredentialsError: there is none, and it is needed.
    """
    accepted = None
    if flags.http_credentials is not None:
        accepted = credentials.read_all(flags.http_credentials, "http_credentials")
    made = {}
    if flags.authenticate_http_readonly:
        made[Realm.READONLY] = basic("mesos-agent-readonly", accepted)
    if flags.authenticate_http_readwrite:
        made[Realm.READWRITE] = basic("mesos-agent-readwrite", accepted)
    return made


def credential(flags: AgentFlags) -> credentials.Credential | None:
    """Read what the agent shows to the master.

    Raises:
        CredentialsError: the file can't be used.
    """
    if flags.credential is None:
        log.info("No credentials provided. Attempting to register without authentication")
        return None
    found = credentials.read_one(flags.credential, "credential")
    log.info("Agent using credential for: %s", found.principal)
    return found
