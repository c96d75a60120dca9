"""Who may do what: access control lists as Mesos' local authorizer reads them. Pure.

``acls`` reads and prints the flag ``--acls``, ``authorizer`` decides, ``viewing`` says what of a
cluster somebody may see.
"""

from pocket_mesos.authorization.acls import ACLError, ACLs, parse, show
from pocket_mesos.authorization.authorizer import OPEN, Approver, Authorizer
from pocket_mesos.authorization.viewing import Viewer, user_of_executor, user_of_task

__all__ = [
    "OPEN",
    "ACLError",
    "ACLs",
    "Approver",
    "Authorizer",
    "Viewer",
    "parse",
    "show",
    "user_of_executor",
    "user_of_task",
]
