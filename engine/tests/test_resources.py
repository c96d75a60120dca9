"""Resources: exact arithmetic, both forms of --resources, what endpoints print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.protocol.mesos import Resource, Scalar, ValueType
from pocket_mesos.resources import (
    EMPTY,
    ParseError,
    ResourceError,
    Resources,
    attributes_model,
    is_empty,
    model,
    parse_attributes,
    parse_resources,
    validate,
)


def bundle(text: str) -> Resources:
    return Resources.of(parse_resources(text))


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=5
)
bundles = st.builds(
    lambda scalars, ports, items: Resources(
        scalars, {"ports": _joined(ports), "disks": frozenset(items)}
    ),
    st.dictionaries(st.sampled_from(["cpus", "mem", "disk"]), st.integers(0, 5000)),
    spans,
    st.sets(st.sampled_from("abcd")),
)


def _joined(pairs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    numbers = sorted({n for begin, end in pairs for n in range(begin, end + 1)})
    joined: list[tuple[int, int]] = []
    for number in numbers:
        if joined and joined[-1][1] == number - 1:
            joined[-1] = (joined[-1][0], number)
        else:
            joined.append((number, number))
    return tuple(joined)


@given(bundles, bundles)
def test_what_is_added_to_disjoint_resources_can_be_taken_away_again(
    left: Resources, right: Resources
) -> None:
    """(a + b) - b == a whenever a and b share no port and no set item."""
    right = Resources(right.scalars)
    assert (left + right).contains(right)
    assert (left + right) - right == left


@given(bundles, bundles)
def test_contains_agrees_with_subtraction(left: Resources, right: Resources) -> None:
    """A bundle that is contained can be taken, one that is not cannot."""
    if left.contains(right):
        assert (left - right) + right == left
    else:
        with pytest.raises(ResourceError):
            left - right


@given(bundles)
def test_messages_come_back_as_the_same_bundle(resources: Resources) -> None:
    """Writing a bundle as messages loses nothing."""
    assert Resources.of(resources.to_messages(role="*", allocated="r")) == resources


def test_thousandths_add_up_exactly() -> None:
    """Ten times 0.1 CPU is exactly one CPU, which floating point would miss."""
    total = EMPTY
    for _ in range(10):
        total = total + bundle("cpus:0.1")
    assert total == bundle("cpus:1")
    assert total.scalar("cpus") == 1.0


def test_both_forms_of_the_resources_flag_mean_the_same() -> None:
    """The short form and the JSON form give equal bundles."""
    short = bundle("cpus:2; mem:1024;ports:[31000-31005, 31006-32000]")
    long = bundle(
        '[{"name":"cpus","type":"SCALAR","scalar":{"value":2}},'
        '{"name":"mem","type":"SCALAR","scalar":{"value":1024}},'
        '{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":32000}]}}]'
    )
    assert short == long


@pytest.mark.parametrize(
    "text", ["cpus", "cpus:x", "cpus:-1", "ports:[5-1]", "ports:[1", "[{]", '[{"name":"cpus"}]']
)
def test_text_that_is_no_resource_is_refused(text: str) -> None:
    """Nothing is guessed from malformed text."""
    with pytest.raises(ParseError):
        parse_resources(text)


def test_model_prints_what_state_shows() -> None:
    """The four well-known scalars always show; ranges print as text."""
    assert model(bundle("cpus:2;mem:4096;disk:252899;ports:[31000-32000]")) == {
        "disk": 252899.0,
        "mem": 4096.0,
        "gpus": 0.0,
        "cpus": 2.0,
        "ports": "[31000-32000]",
    }
    assert list(model(EMPTY)) == ["disk", "mem", "gpus", "cpus"]


def test_attributes_take_the_kind_that_their_text_has() -> None:
    """A number is a scalar, brackets are ranges, the rest is text."""
    attributes = parse_attributes("rack:r1;cores:8;ports:[1-2]")
    assert attributes_model(attributes) == {"rack": "r1", "cores": 8.0, "ports": "[1-2]"}


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_scalars_that_nobody_can_have_are_refused(value: float) -> None:
    """A peer can't get a zero, negative or non-finite amount into the accounting."""
    bad = Resource(name="cpus", type=ValueType.SCALAR, scalar=Scalar(value=value))
    assert validate([bad]) is not None


def test_negative_scalar_is_refused_in_mesos_words() -> None:
    """The message is the one that real Mesos puts into TASK_ERROR."""
    bad = Resource(name="cpus", type=ValueType.SCALAR, scalar=Scalar(value=-1))
    assert validate([bad]) == "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"


def test_resources_named_as_none_are_told_from_unnamed_ones() -> None:
    """``disk:0;ports:[]`` keeps an agent from offering what it would otherwise detect."""
    assert [is_empty(one) for one in parse_resources("disk:0;ports:[];cpus:1")] == [
        True,
        True,
        False,
    ]
    assert bundle("disk:0;ports:[]") == EMPTY
