"""Which states may follow which, as tables."""

from pocket_mesos.master.state import Agent, AgentState, Framework, FrameworkState
from pocket_mesos.protocol.errors import PocketError

FRAMEWORK: dict[FrameworkState, frozenset[FrameworkState]] = {
    FrameworkState.ACTIVE: frozenset(
        {FrameworkState.ACTIVE, FrameworkState.DISCONNECTED, FrameworkState.COMPLETED}
    ),
    FrameworkState.DISCONNECTED: frozenset({FrameworkState.ACTIVE, FrameworkState.COMPLETED}),
    FrameworkState.RECOVERED: frozenset({FrameworkState.ACTIVE, FrameworkState.COMPLETED}),
    FrameworkState.COMPLETED: frozenset(),
}

AGENT: dict[AgentState, frozenset[AgentState]] = {
    AgentState.CONNECTED: frozenset(
        {AgentState.CONNECTED, AgentState.DISCONNECTED, AgentState.REMOVED}
    ),
    AgentState.DISCONNECTED: frozenset({AgentState.CONNECTED, AgentState.REMOVED}),
    AgentState.REMOVED: frozenset(),
}


class IllegalTransitionError(PocketError):
    """A mistake in this program: a state was to follow that may not."""


def move_framework(framework: Framework, state: FrameworkState) -> None:
    """Give a framework its next state.

    Raises:
        IllegalTransitionError: the table forbids it.
    """
    if state not in FRAMEWORK[framework.state]:
        raise IllegalTransitionError(
            f"framework {framework.id}: {framework.state.value} -> {state.value}"
        )
    framework.state = state


def move_agent(agent: Agent, state: AgentState) -> None:
    """Give an agent its next state.

    Raises:
        IllegalTransitionError: the table forbids it.
    """
    if state not in AGENT[agent.state]:
        raise IllegalTransitionError(f"agent {agent.id}: {agent.state.value} -> {state.value}")
    agent.state = state
