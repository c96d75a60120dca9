"""The master's core under access control lists: who may subscribe, launch, end, register."""

import json
from typing import Any

import pytest
from master_world import FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.authorization import Authorizer, Viewer, parse
from pocket_mesos.master import actions, events, operator_views, role_views, views

ANY = {"type": "ANY"}


def some(*values: str) -> dict[str, Any]:
    return {"values": list(values)}


def acls(**lists: Any) -> Authorizer:
    return Authorizer(parse(json.dumps({"permissive": False, **lists})))


def rule(*principals: str, **objects: Any) -> dict[str, Any]:
    return {"principals": some(*principals), **objects}


STRICT = acls(
    register_agents=[rule("agent", agents=ANY)],
    register_frameworks=[rule("p", roles=some("r", "s"))],
    run_tasks=[rule("p", users=some("www"))],
    teardown_frameworks=[rule("ops", framework_principals=some("p"))],
    view_frameworks=[rule("ops", users=ANY)],
    view_tasks=[rule("ops", users=some("www"))],
    view_executors=[rule("ops", users=some("www"))],
    view_roles=[rule("ops", roles=some("r"))],
)
MULTI_ROLE = [{"type": "MULTI_ROLE"}]


class NamedAgent(FakeAgent):
    """An agent that has authenticated."""

    def __init__(self, world: World, principal: str | None = "agent") -> None:
        super().__init__(world)
        self.principal = principal

    def _open(self, call: Any) -> None:
        self.world.answering[self.stream] = self
        self.world.feed(
            events.AgentSubscribed(call=call, stream_id=self.stream, principal=self.principal)
        )
        for event in self.world.told(self.stream):
            if event["type"] == "Registered":
                self.id = event["agent_id"]["value"]


def framework(world: World, *roles: str, **info: Any) -> FakeScheduler:
    given = {"user": "www", "principal": "p", "roles": list(roles), "capabilities": MULTI_ROLE}
    return FakeScheduler(world, **{**given, **info})


def world_with_framework() -> tuple[World, FakeAgent, FakeScheduler]:
    world = World(authorizer=STRICT)
    agent = NamedAgent(world).register()
    return world, agent, framework(world, "r").subscribe()


# --- subscribing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principal", "roles", "shown"),
    [
        ("p", ("r", "x"), "{ r, x }"),
        ("q", ("r",), "{ r }"),
        (None, ("r",), "{ r }"),
        ("p", (), "{  }"),
    ],
)
def test_subscription_needs_every_role(
    principal: str | None, roles: tuple[str, ...], shown: str
) -> None:
    """An ERROR tells which roles were asked for; the stream ends, nothing is entered."""
    world = World(authorizer=STRICT)
    fw = framework(world, *roles, principal=principal).subscribe()
    assert world.take() == [
        actions.SendToScheduler(
            stream_id=fw.stream,
            event=events.scheduler.Event(
                type="ERROR",
                error=events.scheduler.Error(
                    message=f"Not authorized to register framework  with roles {shown}"
                ),
            ),
        ),
        actions.CloseScheduler(stream_id=fw.stream),
    ]
    assert not world.core.state.frameworks


def test_a_framework_cannot_come_back_as_somebody_else() -> None:
    """Not even with rights of its own, and without a word about who it was."""
    world = World()
    fw = framework(world, "r").subscribe()
    fw.info["principal"] = "q"
    world.take()
    fw.subscribe("second")
    (error,) = world.told("second")
    assert error["error"]["message"] == "Changing framework's principal is not allowed."
    assert world.core.state.frameworks[fw.id].stream_id == "stream-fw"
    answer = fw.call("UPDATE_FRAMEWORK", "stream-fw", update_framework={"framework_info": fw.info})
    assert answer is not None
    assert answer.body == (
        "FrameworkInfo update is not valid: Changing framework's principal is not allowed."
    )


def test_update_needs_every_role() -> None:
    """403, and the framework stays as it was."""
    world, _, fw = world_with_framework()
    info = {**fw.info, "roles": ["r", "x"]}
    answer = fw.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
    expected = f"Not authorized to register framework {fw.id} with roles {{ r, x }}"
    assert answer == actions.Respond(status=403, body=expected)
    assert world.core.state.frameworks[fw.id].roles == ["r"]


def test_calls_must_come_from_the_frameworks_principal() -> None:
    """A stream's id and a framework's are no secret; a stranger is told before anything else."""
    world, _, fw = world_with_framework()
    call = events.scheduler.Call(
        type="TEARDOWN", framework_id=world.core.state.frameworks[fw.id].info.id
    )
    made = world.feed(events.SchedulerCalled(call=call, stream_id=fw.stream, principal="q"))
    assert made == [
        actions.Respond(
            status=400,
            body="Authenticated principal 'q' does not match principal 'p' set in `FrameworkInfo`",
        )
    ]
    world.feed(events.SchedulerCalled(call=call, stream_id=fw.stream, principal="p"))
    assert fw.id not in world.core.state.frameworks


# --- launching -------------------------------------------------------------------------------


def test_a_task_needs_the_right_to_its_user() -> None:
    """TASK_ERROR for one, launched the other; what was not used is offered again."""
    world, agent, fw = world_with_framework()
    offer = fw.offers()[0]
    world.take()
    bad = task("bad", agent.id, command={"value": "true", "user": "root"})
    fw.launch(offer, bad, task("good", agent.id))
    ((name, state, reason),) = world.statuses(fw.stream)
    assert (name, state, reason) == ("bad", "TASK_ERROR", "REASON_TASK_UNAUTHORIZED")
    (update,) = (e["update"]["status"] for e in world.told(fw.stream) if e["type"] == "UPDATE")
    assert update["message"] == (
        f"Principal 'p' no authorized to launch task bad of framework {fw.id} under user 'root'"
    )
    assert [e["task"]["name"] for e in world.told(agent.stream)] == ["good"]
    assert world.core.state.counters["tasks_error"] == 1


def test_a_group_needs_the_right_to_every_user() -> None:
    """All of it fails, with the message about the last one, as in Mesos."""
    world, agent, fw = world_with_framework()
    offer = fw.offers()[0]
    world.take()
    users = {"a": "root", "b": "www", "c": "daemon"}
    group = {
        "executor_id": {"value": "e"},
        "framework_id": {"value": fw.id},
        "type": "DEFAULT",
        "resources": small(),
    }
    tasks = [task(n, agent.id, command={"value": "x", "user": u}) for n, u in users.items()]
    fw.launch(offer, *tasks, group=group)
    told = [e["update"]["status"] for e in world.told(fw.stream) if e["type"] == "UPDATE"]
    assert {one["task_id"]["value"] for one in told} == set(users)
    assert {(one["state"], one["reason"]) for one in told} == {
        ("TASK_ERROR", "REASON_TASK_GROUP_UNAUTHORIZED")
    }
    assert {one["message"] for one in told} == {
        f"Task 'c' is not authorized tolaunch task c of framework {fw.id} under user 'daemon'"
    }
    assert not world.told(agent.stream)


# --- operators, agents -----------------------------------------------------------------------


@pytest.mark.parametrize("principal", ["q", None])
def test_teardown_needs_the_right_to_the_principal(principal: str | None) -> None:
    """Somebody else's framework is not everybody's to end."""
    world, _, fw = world_with_framework()
    made = world.feed(events.TeardownRequested(framework_id=fw.id, principal=principal))
    assert made == [actions.Respond(status=403, body="403 Forbidden.")]
    world.feed(events.TeardownRequested(framework_id=fw.id, principal="ops"))
    assert fw.id not in world.core.state.frameworks


@pytest.mark.parametrize("principal", ["p", None])
def test_an_agent_needs_the_right_to_register(principal: str | None) -> None:
    """It is not told to shut down: its tasks may live on until the operator has seen to it."""
    world = World(authorizer=STRICT)
    agent = NamedAgent(world, principal).register()
    assert world.take() == [actions.CloseAgent(stream_id=agent.stream)]
    agent.reregister("again", id_="m-S7")
    assert world.take() == [actions.CloseAgent(stream_id="again")]
    assert not world.core.state.agents


# --- viewing ---------------------------------------------------------------------------------


def test_views_leave_out_what_is_not_granted() -> None:
    """By framework, then by task and executor, then by role; agents' sums stay whole."""
    world, agent, fw = world_with_framework()
    fw.launch(fw.offers()[0], task("t", agent.id))
    state = world.core.state
    nobody, ops = Viewer(STRICT, "q"), Viewer(STRICT, "ops")

    for view in (views.frameworks, operator_views.frameworks):
        assert [one for name in view(state, nobody).values() for one in name] == []
        assert len(view(state, ops)["frameworks"]) == 1
    assert views.state_summary(state, nobody, "h")["frameworks"] == []
    assert views.tasks(state, nobody) == {"tasks": []}
    assert [one["id"] for one in views.tasks(state, ops)["tasks"]] == ["t"]
    assert operator_views.tasks(state, nobody)["tasks"] == []
    assert len(operator_views.tasks(state, ops)["tasks"]) == 1
    assert role_views.roles(state, nobody) == {"roles": []}
    assert [one["name"] for one in role_views.roles(state, ops)["roles"]] == ["r"]
    for viewer, count in ((nobody, 0), (ops, 2)):
        (shown,) = views.slaves(state, viewer)["slaves"]
        assert len(shown["used_resources_full"]) == count
        assert shown["used_resources"]["cpus"] == 0.1
        (shown,) = operator_views.agents(state, viewer)["agents"]
        assert len(shown.get("allocated_resources", [])) == count


def test_an_executor_that_is_not_shown_leaves_an_empty_object() -> None:
    """As in Mesos' /state; the operator API leaves it out."""
    world, agent, fw = world_with_framework()
    executor = {
        "executor_id": {"value": "e"},
        "command": {"value": "x"},
        "resources": small(),
    }
    given = task("t", agent.id, command=None, executor=executor)
    fw.launch(fw.offers()[0], given)
    lists = {"view_frameworks": [rule("ops", users=ANY)], "view_tasks": [rule("ops", users=ANY)]}
    blind = Viewer(acls(**lists), "ops")
    (shown,) = views.frameworks(world.core.state, blind)["frameworks"]
    assert shown["executors"] == [{}]
    assert operator_views.executors(world.core.state, blind) == {"executors": []}
    (shown,) = views.frameworks(world.core.state, Viewer(STRICT, "ops"))["frameworks"]
    assert [one["executor_id"] for one in shown["executors"]] == ["e"]
