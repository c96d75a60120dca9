"""Access control lists: what a rule is about, which one counts, what is refused at the start."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.authorization import (
    OPEN,
    ACLError,
    Authorizer,
    Viewer,
    parse,
    show,
    user_of_task,
)
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import ExecutorInfo, FrameworkInfo, TaskInfo

ANY, NONE = {"type": "ANY"}, {"type": "NONE"}


def some(*values: str) -> dict[str, Any]:
    return {"values": list(values)}


def authorizer(**lists: Any) -> Authorizer:
    return Authorizer(parse(json.dumps(lists)))


def run_as(user: str | None, rules: list[Any], principal: str | None = "p", **more: Any) -> bool:
    made = authorizer(run_tasks=[{"principals": s, "users": o} for s, o in rules], **more)
    return made.approver("run_tasks", principal).approves(user)


@pytest.mark.parametrize(
    ("entity", "known", "unknown", "anybody"),
    [
        (some("x"), True, None, None),
        (ANY, True, True, True),
        (NONE, False, False, False),
    ],
    ids=["SOME", "ANY", "NONE"],
)
@pytest.mark.parametrize("side", ["principals", "users"])
def test_entities_match_and_allow_as_in_mesos(
    entity: Any, known: bool | None, unknown: bool | None, anybody: bool | None, side: str
) -> None:
    """Mesos' tables of what an entity is about (None: it is not) and what it then grants."""
    for value, expected in (("x", known), ("y", unknown), (None, anybody)):
        for permissive in (True, False):
            if side == "users":
                found = run_as(value, [(ANY, entity)], permissive=permissive)
            else:
                found = run_as("u", [(entity, ANY)], principal=value, permissive=permissive)
            assert found is (permissive if expected is None else expected), (value, permissive)


def test_the_first_rule_counts() -> None:
    """A later rule changes nothing about what an earlier one has settled."""
    assert run_as("root", [(some("p"), some("root")), (ANY, NONE)])
    assert not run_as("root", [(ANY, NONE), (some("p"), some("root"))])
    assert not run_as("root", [(some("p"), some("www")), (some("p"), NONE)])


def test_without_lists_everything_is_granted() -> None:
    """An absent flag guards nothing; an empty list neither, unless it is strict."""
    assert OPEN.approver("run_tasks", None).unlimited
    assert not OPEN.enabled
    assert authorizer().approver("run_tasks", "p").approves("root")
    assert not authorizer(permissive=False).approver("run_tasks", "p").approves("root")


@given(
    rules=st.lists(
        st.tuples(
            st.sampled_from([some("p"), some("q"), some("p", "q"), some(), ANY, NONE]),
            st.sampled_from([some("u"), some("v"), some(), ANY, NONE]),
        ),
        max_size=4,
    ),
    principal=st.sampled_from(["p", "q", "r", None]),
    user=st.sampled_from(["u", "v", "w", None]),
    permissive=st.booleans(),
)
def test_decisions_agree_with_mesos_tables(
    rules: list[Any], principal: str | None, user: str | None, permissive: bool
) -> None:
    """Any lists decide as the tables in Mesos' documents do, looked up cell by cell."""

    def kind(entity: Any) -> str:
        return str(entity.get("type", "SOME"))

    def cell(value: str | None, entity: Any, table: dict[tuple[str, str], str]) -> bool:
        found = table[("ANY" if value is None else "SOME", kind(entity))]
        return found == "yes" or (found == "listed" and value in entity["values"])

    matches = {
        ("SOME", "SOME"): "listed", ("SOME", "NONE"): "yes", ("SOME", "ANY"): "yes",
        ("ANY", "SOME"): "no", ("ANY", "NONE"): "yes", ("ANY", "ANY"): "yes",
    }  # fmt: skip
    allows = {
        ("SOME", "SOME"): "listed", ("SOME", "NONE"): "no", ("SOME", "ANY"): "yes",
        ("ANY", "SOME"): "no", ("ANY", "NONE"): "no", ("ANY", "ANY"): "yes",
    }  # fmt: skip
    expected = permissive
    for subjects, objects in rules:
        if cell(principal, subjects, matches) and cell(user, objects, matches):
            expected = cell(principal, subjects, allows) and cell(user, objects, allows)
            break
    assert run_as(user, rules, principal, permissive=permissive) is expected


def test_roles_can_be_granted_by_tree() -> None:
    """`a/%` means what is below `a`, not `a` itself and not its namesakes."""
    made = authorizer(
        register_frameworks=[{"principals": some("p"), "roles": some("a/%", "b")}],
        permissive=False,
    )
    for roles, granted in (
        (["a/x"], True), (["a/x/y", "b"], True), (["a"], False), (["ab"], False),
        (["a/x", "c"], False), (["b/x"], False), ([], False),
    ):  # fmt: skip
        assert made.may_register("p", roles) is granted, roles


def test_a_percent_is_only_special_in_roles() -> None:
    """A user may be called anything."""
    made = authorizer(
        run_tasks=[{"principals": ANY, "users": some("a/%")}], permissive=False
    ).approver("run_tasks", "p")
    assert made.approves("a/%")
    assert not made.approves("a/b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "syntax error"),
        ("[]", "Expecting an object for 'ACLs'"),
        ('{"permissive": "yes"}', "Expecting a boolean for 'permissive'"),
        ('{"run_task": []}', "Unknown action 'run_task'"),
        ('{"run_tasks": {}}', "Expecting an array for 'run_tasks'"),
        ('{"run_tasks": [1]}', "Expecting an object for 'run_tasks[0]'"),
        (
            '{"run_tasks": [{"principals": {"type": "ANY"}}]}',
            "Missing required fields: run_tasks[0].users",
        ),
        (
            '{"run_tasks": [{"principals": {"type": "ANY"}, "roles": {}, "users": {}}]}',
            "Unknown field 'roles' in run_tasks[0]: principals or users",
        ),
        (
            '{"run_tasks": [{"principals": {"type": "ALL"}, "users": {}}]}',
            "Failed to find enum for 'ALL' in run_tasks[0].principals.type",
        ),
        (
            '{"run_tasks": [{"principals": {"value": []}, "users": {}}]}',
            "Unknown field 'value' in run_tasks[0].principals",
        ),
        (
            '{"run_tasks": [{"principals": {"values": "p"}, "users": {}}]}',
            "Expecting an array for 'run_tasks[0].principals.values'",
        ),
        (
            '{"run_tasks": [{"principals": {"values": [1]}, "users": {}}]}',
            "Expecting a string for 'run_tasks[0].principals.values'",
        ),
        (
            '{"view_flags": [{"principals": {"type": "ANY"}, "flags": {"values": ["x"]}}]}',
            "ACL.ViewFlags type must be either NONE or ANY",
        ),
        (
            '{"get_endpoints": [{"principals": {"type": "ANY"}, "paths": {"values": ["/x"]}}]}',
            "Path: '/x' is not an authorizable path",
        ),
    ],
)
def test_what_is_no_list_is_refused(text: str, said: str) -> None:
    """A list with a mistake in it must not look as if it protected something."""
    with pytest.raises(ACLError) as error:
        parse(text)
    assert said in str(error.value)


def test_lists_are_shown_as_mesos_shows_them() -> None:
    """/flags prints protobuf's text format, actions in the order of their fields."""
    made = parse(
        json.dumps(
            {
                "view_flags": [{"principals": some("ops"), "flags": ANY}],
                "register_frameworks": [{"principals": ANY, "roles": some("a", "b")}],
                "permissive": False,
            }
        )
    )
    assert show(made) == (
        "permissive: false\n"
        "register_frameworks {\n"
        "  principals {\n    type: ANY\n  }\n"
        '  roles {\n    values: "a"\n    values: "b"\n  }\n'
        "}\n"
        "view_flags {\n"
        '  principals {\n    values: "ops"\n  }\n'
        "  flags {\n    type: ANY\n  }\n"
        "}\n"
    )


def message(type_: Any, **fields: Any) -> Any:
    return codec.decode(json.dumps(fields).encode(), type_)


FRAMEWORK: FrameworkInfo = message(FrameworkInfo, user="owner", name="f")


def task(**fields: Any) -> TaskInfo:
    made: TaskInfo = message(
        TaskInfo, name="t", task_id={"value": "t"}, agent_id={"value": "a"}, **fields
    )
    return made


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"command": {"user": "c"}}, "c"),
        ({"command": {"value": "true"}}, "owner"),
        ({"executor": {"executor_id": {"value": "e"}, "command": {"user": "x"}}}, "x"),
        ({"executor": {"executor_id": {"value": "e"}}}, "owner"),
    ],
)
def test_a_task_runs_as_command_executor_or_framework_say(fields: Any, user: str) -> None:
    """The user that is authorized is the one that the task will have."""
    assert user_of_task(FRAMEWORK, task(**fields)) == user


def test_a_viewer_sees_what_runs_as_granted_users() -> None:
    """Each kind of thing has its own right, and each right its users."""
    viewer = Viewer(
        authorizer(
            view_frameworks=[{"principals": ANY, "users": some("owner")}],
            view_tasks=[{"principals": ANY, "users": some("c")}],
            view_executors=[{"principals": ANY, "users": some("x")}],
            view_roles=[{"principals": ANY, "roles": some("r/%")}],
            view_flags=[{"principals": some("ops"), "flags": ANY}],
            permissive=False,
        ),
        "p",
    )
    assert viewer.framework(FRAMEWORK)
    shown, hidden = task(command={"user": "c"}), task(command={"user": "d"})
    assert list(viewer.tasks(FRAMEWORK, [shown, hidden], lambda one: one)) == [shown]
    for user, visible in (("x", True), ("y", False)):
        info = message(ExecutorInfo, executor_id={"value": "e"}, command={"user": user})
        assert viewer.executor(FRAMEWORK, info) is visible
    assert viewer.role("r/a")
    assert not viewer.role("r")
    assert not viewer.flags
