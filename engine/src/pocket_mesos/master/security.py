"""The flags about security put together: who must authenticate where, who may do what."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pocket_mesos import credentials
from pocket_mesos.authorization import Authorizer
from pocket_mesos.flags.master import MasterFlags
from pocket_mesos.http.authentication import BasicAuthenticator, Realm, basic
from pocket_mesos.protocol.errors import PocketError

_log = logging.getLogger(__name__)


AGENT_REALM = "pocket-master-agent"
"""Of the link to agents, which is Pocket's own."""


class SecurityError(PocketError):
    """Flags about security that contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What guards a master."""

    authenticators: Mapping[Realm, BasicAuthenticator]
    authorizer: Authorizer


def load(flags: MasterFlags) -> Security:
    """Read credentials and lists.

    Raises:
        CredentialsError: the file of credentials can't be used.
        NoCredentialsError: there is none, and it is needed.
        SecurityError: flags contradict each other.
    """
    accepted = None
    if flags.credentials is not None:
        accepted = credentials.read_all(flags.credentials, "credentials")
    authorizer = Authorizer(flags.acls)
    _tell(flags, authorizer)
    return Security(authenticators=_authenticators(flags, accepted), authorizer=authorizer)


def _authenticators(
    flags: MasterFlags, accepted: Mapping[str, str] | None
) -> Mapping[Realm, BasicAuthenticator]:
    # An agent that shows a credential is checked even where none is required, as in Mesos.
    made = {Realm.AGENT: BasicAuthenticator(AGENT_REALM, accepted or {}, required=False)}
    if flags.authenticate_http_readonly:
        made[Realm.READONLY] = basic("mesos-master-readonly", accepted)
    if flags.authenticate_http_readwrite:
        made[Realm.READWRITE] = basic("mesos-master-readwrite", accepted)
    if flags.authenticate_http_frameworks:
        if flags.http_framework_authenticators is None:
            raise SecurityError(
                "Missing `--http_framework_authenticators` flag. This must be used in conjunction "
                "with `--authenticate_http_frameworks`"
            )
        made[Realm.SCHEDULER] = basic("mesos-master-scheduler", accepted)
    return made


def _tell(flags: MasterFlags, authorizer: Authorizer) -> None:
    """Log what is guarded."""
    for required, whom in (
        (flags.authenticate_agents, "agents"),
        (flags.authenticate_http_frameworks, "HTTP frameworks"),
    ):
        if required:
            _log.info("Master only allowing authenticated %s to register", whom)
        else:
            _log.info("Master allowing unauthenticated %s to register", whom)
    if flags.authenticate_agents and flags.credentials is None:
        _log.warning("No credentials provided, authentication requests will be refused")
    if authorizer.enabled:
        _log.info("Authorization enabled")
