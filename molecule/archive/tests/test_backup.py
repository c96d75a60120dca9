"""What a cluster keeps in ZooKeeper is saved, and comes back as it was."""

import json
from typing import Any

import requests
from support import cluster, inventory, playbook
from support.full import takes_minutes
from support.inventory import Node

pytestmark = takes_minutes


def call(master: Node, **body: Any) -> requests.Response:
    """Make an operator's call."""
    answer = requests.post(
        f"http://{master.address}:{cluster.MASTER_PORT}/api/v1",
        json=body,
        auth=inventory.account("operator"),
        timeout=15,
    )
    answer.raise_for_status()
    return answer


def weigh(master: Node, value: float) -> None:
    """Give a role a weight, which the masters keep in their registry."""
    infos = [{"role": "kept", "weight": value}]
    call(master, type="UPDATE_WEIGHTS", update_weights={"weight_infos": infos})


def weight(master: Node) -> float:
    """Return the weight that the leading master knows for the role."""
    known = call(master, type="GET_WEIGHTS").json()["get_weights"]["weight_infos"]
    return next(float(one["weight"]) for one in known if one["role"] == "kept")


def test_a_backup_brings_the_registry_back(leader, tmp_path):
    """It is compared before it is written, written only when told to, and read by the masters."""
    weigh(leader, 2.5)
    playbook.run("playbooks/backup.yml", f"--extra-vars=backup_dir={tmp_path}")
    (archive,) = tmp_path.glob("*.tar")
    weigh(leader, 7.0)

    values: dict[str, Any] = {"restore_archive": str(archive)}
    refused = playbook.refusal("playbooks/restore.yml", f"--extra-vars={json.dumps(values)}")
    assert "/log_replicas/registry/weights/kept" in refused
    assert weight(cluster.leader()) == 7.0

    values["restore_overwrite"] = True
    restored = playbook.run("playbooks/restore.yml", f"--extra-vars={json.dumps(values)}")
    assert (leader.name, "mesos-master.service") in restored.changed
    assert weight(cluster.leader()) == 2.5
