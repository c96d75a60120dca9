"""The decision: the first rule that is about a subject and an object says whether it is granted."""

from collections.abc import Callable

from pocket_mesos.authorization.acls import ENDPOINTS, ACLs, Rule


class Approver:
    """What one subject may do of one action."""

    def __init__(self, rules: tuple[Rule, ...], subject: str | None, *, permissive: bool) -> None:
        """Take the rules that are about the subject.

        Args:
            rules: the action's, in order.
            subject: a principal; None for somebody who has not said who it is.
            permissive: whether what no rule is about is granted.
        """
        self._rules = [
            (rule.objects, rule.subjects.allows(subject))
            for rule in rules
            if rule.subjects.matches(subject)
        ]
        self.permissive = permissive

    @property
    def unlimited(self) -> bool:
        """Whether everything is granted, so that nobody needs to ask."""
        return self.permissive and not self._rules

    def approves(self, object_: str | None = None) -> bool:
        """Whether the action on an object is granted; None stands for any object."""
        for objects, granted in self._rules:
            if objects.matches(object_):
                return granted and objects.allows(object_)
        return self.permissive


class Authorizer:
    """The local authorizer."""

    def __init__(self, acls: ACLs | None) -> None:
        """Decide by ``acls``; without them everything is granted."""
        self._acls = acls

    @property
    def enabled(self) -> bool:
        """Whether there are lists at all."""
        return self._acls is not None

    def approver(self, action: str, principal: str | None) -> Approver:
        """Return what a principal may do of an action, by the action's name in the lists."""
        if self._acls is None:
            return _UNLIMITED
        rules = self._acls.rules.get(action, ())
        return Approver(rules, principal, permissive=self._acls.permissive)

    def may_register(self, principal: str | None, roles: list[str]) -> bool:
        """Whether a framework may subscribe to all of some roles."""
        approver = self.approver("register_frameworks", principal)
        if not roles:
            return approver.permissive
        return all(approver.approves(role) for role in roles)

    def endpoint_permit(self, path: str) -> Callable[[str | None], bool]:
        """Make the test whether a principal may GET one of the endpoints that lists can name."""
        assert path in ENDPOINTS, path
        return lambda principal: self.approver("get_endpoints", principal).approves(path)


_UNLIMITED = Approver((), None, permissive=True)

OPEN = Authorizer(None)
"""Grants everything."""
