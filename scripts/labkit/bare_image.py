"""The bare node image: Debian with systemd, as it comes, ready for Ansible.

From the registry's Debian image where that can be pulled, from debootstrap where it can't.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from labkit import cache, digest, engine, host_config
from labkit.paths import CACHE, ROOT

NAME = "mesos-lab-node-bare"
DEFINITION = ROOT / "scripts" / "image"
FILES = [DEFINITION / name for name in ("bare.sh", "init-rw", "packages")]
BASE = os.environ.get("MESOS_LAB_BASE_IMAGE", "debian:12")
"""The image to start from; any Debian 12 with apt will do."""

PULL_SECONDS = 45
"""How long a registry may take: an unreachable one must not hold up the lab for long."""

BOOTSTRAPPED = "mesos-lab-debian:12"
"""What debootstrap made, kept so that a change of the definition needs no second one."""


def tag() -> str:
    """Return the image's name with the hash of what it is made from."""
    files = host_config.node_files()
    texts = [f"{path} {mode:o} {content!r}" for path, (content, mode) in sorted(files.items())]
    return f"{NAME}:{digest.of_texts([digest.of_files(FILES, ROOT), BASE, *texts])}"


def ensure() -> str:
    """Return the name of the image, building it when the engine doesn't hold it."""
    image = tag()
    if not engine.image_exists(image):
        with cache.only_one("bare-image"):
            if not engine.image_exists(image):
                _build(image)
                engine.forget_old_images(NAME)
    return image


def _build(image: str) -> None:
    base = _base_image()
    packages = (DEFINITION / "packages").read_text().split()
    with engine.container(base, "--network", "host") as container:
        files = host_config.node_files()
        files["/usr/local/sbin/init-rw"] = ((DEFINITION / "init-rw").read_bytes(), 0o755)
        files["/root/bare.sh"] = ((DEFINITION / "bare.sh").read_bytes(), 0o755)
        container.put_files(files)
        container.shell(f"sh /root/bare.sh {' '.join(packages)} && rm /root/bare.sh")
        container.commit(
            image,
            'CMD ["/usr/local/sbin/init-rw"]',
            "ENV container=docker",
            f"LABEL mesos-lab.image={NAME}",
            message="Debian with systemd, ready for Ansible",
        )


def _base_image() -> str:
    if engine.image_exists(BASE):
        return BASE
    print(f"pulling {BASE}", flush=True)
    try:
        engine.run("docker", "pull", "--quiet", BASE, timeout=PULL_SECONDS)
    except (engine.CommandError, subprocess.TimeoutExpired) as problem:
        print(f"no registry gives {BASE} ({problem}); making it with debootstrap", flush=True)
        if not engine.image_exists(BOOTSTRAPPED):
            _bootstrap()
        return BOOTSTRAPPED
    return BASE


def _bootstrap() -> None:
    _ensure_debootstrap()
    packages = (DEFINITION / "packages").read_text().split()
    options = ["--variant=minbase", f"--include={','.join(packages)}"]
    if Path(host_config.KEYRING).exists():
        options.append(f"--keyring={host_config.KEYRING}")
    address = host_config.archive_address()
    CACHE.mkdir(parents=True, exist_ok=True)
    # Not below /tmp, which is often mounted without devices.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="debootstrap-") as folder:
        root = Path(folder) / "root"
        where = [address] if address else []
        engine.stream("debootstrap", *options, host_config.RELEASE, str(root), *where)
        for package in (root / "var" / "cache" / "apt" / "archives").glob("*.deb"):
            package.unlink()
        pack = f"tar --directory={shlex.quote(str(root))} --one-file-system --numeric-owner -c ."
        engine.stream("bash", "-o", "pipefail", "-c", f"{pack} | docker import - {BOOTSTRAPPED}")


def _ensure_debootstrap() -> None:
    if os.geteuid() != 0:
        raise engine.CommandError(
            f"only root can make {BASE} without a registry. Repeat as root, or load an image of "
            "Debian 12 into the engine and name it in MESOS_LAB_BASE_IMAGE"
        )
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise engine.CommandError(
            "debootstrap is not installed. Install it, or load an image of Debian 12 into the "
            "engine and name it in MESOS_LAB_BASE_IMAGE"
        )
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    wait = ("-o", "DPkg::Lock::Timeout=300")
    engine.stream("apt-get", "-q", "update")
    install = ("install", "--no-install-recommends", "debootstrap", "debian-archive-keyring")
    engine.stream("apt-get", "-q", "-y", *wait, *install)
