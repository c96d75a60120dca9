"""Bodies become messages, or the sentence with which real Mesos refuses them."""

import pytest

from pocket_mesos.protocol import codec, scheduler
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import CommandInfo, TaskID, TaskState, TaskStatus

REFUSED = [
    (b"{bad", "Failed to parse body into JSON: syntax error at line 1 near: bad"),
    (b"", "Failed to parse body into JSON: syntax error at line 1 near: "),
    (b"[]", "Failed to convert JSON into Call protobuf: Expecting a JSON object"),
    (
        b'{"type": "SUBSCRIBE", "subscribe": {}}',
        (
            "Failed to convert JSON into Call protobuf: "
            "Missing required fields: subscribe.framework_info"
        ),
    ),
    (
        b'{"subscribe": {"framework_info": {"user": "root"}}}',
        (
            "Failed to convert JSON into Call protobuf: "
            "Missing required fields: subscribe.framework_info.name"
        ),
    ),
    (
        b'{"type": "DECLINE", "decline": {"offer_ids": "notalist"}}',
        (
            "Failed to convert JSON into Call protobuf: "
            "Not expecting a JSON string for field 'offer_ids'"
        ),
    ),
    (
        b'{"type": "REVIVE", "framework_id": "nope"}',
        (
            "Failed to convert JSON into Call protobuf: "
            "Not expecting a JSON string for field 'framework_id'"
        ),
    ),
    (
        b'{"decline": {"offer_ids": [{"value": "a"}, {}]}}',
        (
            "Failed to convert JSON into Call protobuf: "
            "Missing required fields: decline.offer_ids[1].value"
        ),
    ),
]


@pytest.mark.parametrize(("body", "sentence"), REFUSED)
def test_a_bad_body_is_refused_with_mesos_sentence(body: bytes, sentence: str) -> None:
    """A framework developer reads on Pocket the message that real Mesos would give."""
    with pytest.raises(ProtocolError) as raised:
        codec.decode(body, scheduler.Call)
    assert str(raised.value) == sentence


def test_unknown_fields_and_enum_values_count_as_absent() -> None:
    """Clients of a newer API still get through, as with real Mesos."""
    body = b'{"type": "NOSUCH", "new": 1, "accept": {"operations": [{"type": "X", "y": {}}]}}'
    call = codec.decode(body, scheduler.Call)
    assert call.type == "NOSUCH"
    assert call.accept is not None and call.accept.operations[0].type == "X"


def test_integers_may_come_as_strings() -> None:
    """Protobuf libraries write 64-bit integers as JSON strings."""
    body = b"""{"accept": {"operations": [{"launch": {"task_infos": [{"name": "t",
        "task_id": {"value": "t"}, "agent_id": {"value": "a"},
        "kill_policy": {"grace_period": {"nanoseconds": "5000000000"}}}]}}]}}"""
    call = codec.decode(body, scheduler.Call)
    assert call.accept is not None and call.accept.operations[0].launch is not None
    policy = call.accept.operations[0].launch.task_infos[0].kill_policy
    assert policy is not None and policy.grace_period is not None
    assert policy.grace_period.nanoseconds == 5_000_000_000


def test_encoding_leaves_out_what_is_not_set_and_shows_protobuf_defaults() -> None:
    """Some clients reject fields that they don't know, null among them."""
    assert codec.encode(CommandInfo(value="true")) == b'{"shell":true,"value":"true"}'


def test_messages_survive_a_round_trip() -> None:
    """Bytes, enums and nesting come back as they went."""
    status = TaskStatus(
        task_id=TaskID(value="t"),
        state=TaskState.TASK_RUNNING,
        uuid=bytes(range(16)),
        timestamp=1.5,
    )
    again = codec.decode(codec.encode(status), TaskStatus)
    assert codec.encode(again) == codec.encode(status)
    assert again.uuid == bytes(range(16))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 100_000,
        b'{"subscribe":{"offer_constraints":' + b'{"a":' * 5000 + b"1" + b"}" * 5002,
        b'{"framework_id":{"value":"\\ud800"}}',
        b"\xff\xfe",
        b'{"type":1e999}',
        b'{"type":' + b"9" * 5000 + b"}",
        b'{"decline":{"filters":{"refuse_seconds":NaN}}}',
        b'{"decline":{"filters":{"refuse_seconds":"nan"}}}',
        b'{"decline":{"filters":{"refuse_seconds":1e999}}}',
        b'{"decline":{"filters":{"refuse_seconds":"-1e999"}}}',
        b'{"kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":1'
        + b"0" * 19
        + b"}}}}",
        b'{"kill":{"task_id":{"value":"t"},"kill_policy":{"grace_period":{"nanoseconds":"1_0"}}}}',
    ],
)
def test_hostile_bodies_are_refused_like_any_other(body: bytes) -> None:
    """Depth, half surrogates, bytes that are no text and numbers beyond all bounds give an
    answer, not a crash, now or when they are printed."""
    with pytest.raises(ProtocolError):
        codec.decode(body, scheduler.Call)
