"""The lab's node image: the bare one with the roles' own install stages run on it.

Named by the hash of its definition: bare image, wheelhouse, the roles' files that install
anything, the inventory's variables, the playbook.
"""

import os
import shutil
import sys
from pathlib import Path

from labkit import bare_image, cache, digest, distributions, engine, wheelhouse
from labkit.paths import ROOT

NAME = "mesos-lab-node"
GIVEN = os.environ.get("MESOS_LAB_NODE_IMAGE")
"""An image to take as it is, like one that a bundle brought."""

PLAYBOOK = ROOT / "playbooks" / "node_image.yml"
CLEAN = """
if command -v apt-get >/dev/null; then apt-get clean; else dnf --quiet clean all; fi
rm -rf /var/lib/apt/lists/* /var/log/journal/* /root/.cache /var/lib/dbus/machine-id
: >/etc/machine-id
"""
INSTALL_STAGES = ("defaults", "vars", "files", "templates/install*", "tasks/install*")


def definition() -> list[Path]:
    """Return the files that decide what is on the image besides wheels and bare image."""
    stages = [path for stage in INSTALL_STAGES for path in ROOT.glob(f"roles/*/{stage}")]
    return [PLAYBOOK, *sorted(stages)]


def tag() -> str:
    """Return the image's name with the hash of what it is made from."""
    parts = [bare_image.tag(), wheelhouse.definition(), digest.of_files(definition(), ROOT)]
    return f"{NAME}:{distributions.chosen().name}-{digest.of_texts(parts)}"


def ensure() -> str:
    """Return the name of the image, building it and what it needs when it is missing."""
    if GIVEN:
        if not engine.image_exists(GIVEN):
            raise engine.CommandError(f"no image {GIVEN} (MESOS_LAB_NODE_IMAGE) is in the engine")
        return GIVEN
    image = tag()
    if not engine.image_exists(image):
        with cache.only_one("lab-image"):
            if not engine.image_exists(image):
                _build(image)
                engine.forget_old_images(bare_image.label(NAME))
    return image


def _build(image: str) -> None:
    bare = bare_image.ensure()
    wheels = wheelhouse.ensure()
    # systemd runs, so that packages and roles meet what they meet on a node.
    options = [*engine.NODE_OPTIONS, "--network", "host"]
    with engine.container(bare, *options, command=("/usr/local/sbin/init-rw",)) as container:
        container.shell(engine.BOOTED)
        _provision(container.name, wheels)
        container.shell(CLEAN)
        container.commit(
            image,
            'CMD ["/usr/local/sbin/init-rw"]',
            f"LABEL mesos-lab.image={bare_image.label(NAME)}",
            message="A node of Mesos Lab with everything installed",
        )


def _provision(name: str, wheels: Path) -> None:
    beside = Path(sys.executable).with_name("ansible-playbook")
    command = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if command is None:
        raise engine.CommandError(
            "ansible-playbook is not installed beside this Python. Run: scripts/venv"
        )
    # Started from within a play, Ansible hands its own settings on; an image has none of them.
    os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    engine.stream(
        command,
        *("--inventory", "image,"),
        *("--extra-vars", f"lab_image_container={name} lab_wheelhouse={wheels}"),
        str(PLAYBOOK),
    )
