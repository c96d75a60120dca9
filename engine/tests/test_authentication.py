"""HTTP basic authentication by realm, and the order of the doors in front of an endpoint."""

import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pocket_mesos.http.authentication import (
    BasicAuthenticator,
    NoCredentialsError,
    Realm,
    authorization,
    basic,
)
from pocket_mesos.http.messages import Request, Response, text
from pocket_mesos.http.router import Router

KNOWN = {"ops": "s3cret", "ünal": "pässwörd"}


def request(header: str | None = None, method: str = "GET", path: str = "/x") -> Request:
    headers = CIMultiDict({} if header is None else {"authorization": header})
    return Request(method=method, path=path, headers=headers)


def encoded(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("principal", KNOWN)
def test_a_secret_lets_its_principal_in(principal: str) -> None:
    """Whatever letters they are made of."""
    shown = request(authorization(principal, KNOWN[principal]))
    assert BasicAuthenticator("r", KNOWN).authenticate(shown) == principal


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + encoded("ops"),
        "Basic " + encoded("ops:"),
        "Basic " + encoded("ops:s3cre"),
        "Basic " + encoded("ops:s3cret "),
        "Basic " + encoded("ops:s3cret:"),
        "Basic " + encoded("nobody:s3cret"),
        "Basic " + encoded(":s3cret"),
        "Basic  " + encoded("ops:s3cret"),
        "basic " + encoded("ops:s3cret"),
        "Bearer " + encoded("ops:s3cret"),
        "Basic " + encoded("ops:s3cret") + " x",
    ],
)
def test_anything_else_is_challenged(header: str | None) -> None:
    """With Mesos' own answer, which names the realm."""
    answer = BasicAuthenticator("mesos-master-readonly", KNOWN).authenticate(request(header))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (401, b"401 Unauthorized.")
    assert dict(answer.headers)["WWW-Authenticate"] == 'Basic realm="mesos-master-readonly"'


@given(st.binary(max_size=40))
def test_no_header_brings_an_authenticator_down(data: bytes) -> None:
    """Whatever a peer sends is either a known pair or a refusal."""
    for header in ("Basic " + base64.b64encode(data).decode(), data.decode("latin-1")):
        answer = BasicAuthenticator("r", KNOWN).authenticate(request(header))
        assert isinstance(answer, Response)


def test_where_nothing_is_required_what_is_shown_is_checked() -> None:
    """Nobody is let in with a wrong secret, though without any."""
    lenient = BasicAuthenticator("r", KNOWN, required=False)
    assert lenient.authenticate(request()) is None
    assert lenient.authenticate(request(authorization("ops", "s3cret"))) == "ops"
    assert isinstance(lenient.authenticate(request(authorization("ops", "x"))), Response)


def test_a_realm_without_credentials_stops_the_start() -> None:
    """In Mesos' words."""
    with pytest.raises(NoCredentialsError) as error:
        basic("mesos-master-scheduler", None)
    assert str(error.value) == (
        "Failed to create HTTP authenticator module 'basic': No credentials provided for the "
        "default 'basic' HTTP authenticator for realm 'mesos-master-scheduler'"
    )


def answered(router: Router, asked: Request) -> tuple[int, bytes]:
    reply = router.admit(asked)
    if not isinstance(reply, Response):
        reply = asyncio.run(reply.answer(asked, b""))
    assert isinstance(reply, Response)
    return reply.status, reply.body


def test_the_doors_in_front_of_an_endpoint_have_an_order() -> None:
    """Unknown path, identity, method, right: the first that stays shut answers."""
    router = Router({Realm.READONLY: BasicAuthenticator("r", KNOWN)})
    router.add(
        "/x",
        lambda asked: text(200, asked.principal or "nobody"),
        methods=("GET",),
        realm=Realm.READONLY,
        permit=lambda principal: principal == "ops",
    )
    ops, other = authorization("ops", "s3cret"), authorization("ünal", "pässwörd")
    assert answered(router, request(None, "POST", "/y"))[0] == 404
    assert answered(router, request(None, "POST"))[0] == 401
    assert answered(router, request(other, "POST"))[0] == 405
    assert answered(router, request(other)) == (403, b"403 Forbidden.")
    assert answered(router, request(ops)) == (200, b"ops")
    assert answered(router, request(ops, path="/x/deeper")) == (200, b"ops")
    assert answered(router, request(None, path="/x/deeper"))[0] == 401


def test_realms_without_authenticator_are_open() -> None:
    """What somebody says there is not looked at, as in Mesos."""
    router = Router({Realm.READWRITE: BasicAuthenticator("r", KNOWN)})
    router.add("/x", lambda asked: text(200, repr(asked.principal)), realm=Realm.READONLY)
    router.add("/y", lambda asked: text(200, repr(asked.principal)))
    for path in ("/x", "/y"):
        assert answered(router, request(authorization("ops", "no"), path=path)) == (200, b"None")


def test_a_secret_with_a_colon_never_fits() -> None:
    """Mesos takes such a pair for no pair; what works here must work there."""
    guard = BasicAuthenticator("r", {"p": "a:b", "q:r": "c"})
    for principal, secret in (("p", "a:b"), ("q:r", "c")):
        answer = guard.authenticate(request(authorization(principal, secret)))
        assert isinstance(answer, Response)
