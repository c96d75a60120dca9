"""The bare node image: a distribution with systemd, as it comes, ready for Ansible.

From the registry's image where that can be pulled, from debootstrap where it can't.
"""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from labkit import bootstrap, cache, digest, distributions, engine, host_config
from labkit.distributions import Distribution
from labkit.paths import CACHE, ROOT

NAME = "mesos-lab-node-bare"
DEFINITION = ROOT / "scripts" / "image"
FILES = [DEFINITION / name for name in ("bare.sh", "init-rw")]
GIVEN = os.environ.get("MESOS_LAB_BASE_IMAGE")
"""The image to start from instead of the registry's; any of that distribution will do."""

PULL_SECONDS = 45
"""How long a registry may take: an unreachable one must not hold up the lab for long."""

BOOTSTRAPPED = "mesos-lab-base"
"""What debootstrap made, kept so that a change of the definition needs no second one."""


def tag() -> str:
    """Return the image's name with the hash of what it is made from."""
    distribution = distributions.chosen()
    files = host_config.node_files(distribution)
    texts = [f"{path} {mode:o} {content!r}" for path, (content, mode) in sorted(files.items())]
    texts += [_base(distribution), *distribution.packages]
    return f"{NAME}:{distribution.name}-{digest.of_texts([digest.of_files(FILES, ROOT), *texts])}"


def ensure() -> str:
    """Return the name of the image, building it when the engine doesn't hold it."""
    image = tag()
    if not engine.image_exists(image):
        with cache.only_one("bare-image"):
            if not engine.image_exists(image):
                _build(image, distributions.chosen())
                engine.forget_old_images(label(NAME))
    return image


def label(name: str) -> str:
    """Return the label of images of that name for the nodes' distribution.

    Old images are found by it: those of the other distributions stay.
    """
    return f"{name}-{distributions.chosen().name}"


def _build(image: str, distribution: Distribution) -> None:
    base = _base_image(distribution)
    with engine.container(base, "--network", "host") as container:
        files = host_config.node_files(distribution)
        files["/usr/local/sbin/init-rw"] = ((DEFINITION / "init-rw").read_bytes(), 0o755)
        files["/root/bare.sh"] = ((DEFINITION / "bare.sh").read_bytes(), 0o755)
        container.put_files(files)
        packages = " ".join(distribution.packages)
        container.shell(f"sh /root/bare.sh {packages} && rm /root/bare.sh")
        container.commit(
            image,
            'CMD ["/usr/local/sbin/init-rw"]',
            "ENV container=docker",
            f"LABEL mesos-lab.image={label(NAME)}",
            message=f"{distribution.name} with systemd, ready for Ansible",
        )


def _base(distribution: Distribution) -> str:
    return GIVEN or distribution.image


def _base_image(distribution: Distribution) -> str:
    base = _base(distribution)
    if engine.image_exists(base):
        return base
    print(f"pulling {base}", flush=True)
    try:
        engine.run("docker", "pull", "--quiet", base, timeout=PULL_SECONDS)
    except (engine.CommandError, subprocess.TimeoutExpired) as problem:
        print(f"no registry gives {base} ({problem})", flush=True)
        made = f"{BOOTSTRAPPED}:{distribution.name}"
        if not engine.image_exists(made):
            _bootstrap(distribution, made)
        return made
    return base


def _bootstrap(distribution: Distribution, image: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    # Not below /tmp, which is often mounted without devices.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="debootstrap-") as folder:
        root = Path(folder) / "root"
        bootstrap.fill(root, distribution, distributions.PACKAGES)
        for package in (root / "var" / "cache" / "apt" / "archives").glob("*.deb"):
            package.unlink()
        pack = f"tar --directory={shlex.quote(str(root))} --one-file-system --numeric-owner -c ."
        engine.stream("bash", "-o", "pipefail", "-c", f"{pack} | docker import - {image}")
