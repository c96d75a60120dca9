"""A root file system made with debootstrap, where no registry gives an image."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit import engine, host_config
from labkit.distributions import Distribution

UBUNTU_KEYRING = (
    "http://archive.ubuntu.com/ubuntu/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb",
    "SHA256:0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f",
)
"""Ubuntu 22.04's package with the keys that its archives are signed with, and its checksum."""

SCRIPTS = {"debian": "sid", "ubuntu": "gutsy"}
"""debootstrap's recipes; those of the releases are links to them."""

APT_HELPER = "/usr/lib/apt/apt-helper"


def fill(root: Path, distribution: Distribution, packages: Iterable[str]) -> None:
    """Fill a folder with the distribution, from the archive that this machine uses if it has it."""
    _ensure_debootstrap(distribution)
    options = ["--variant=minbase", f"--include={','.join(packages)}"]
    options.append(f"--components={','.join(distribution.components)}")
    address = host_config.archive_address(distribution)
    with _keyring(distribution) as keyring:
        options += [f"--keyring={keyring}"] if keyring else []
        engine.stream(
            *("debootstrap", *options, distribution.release, str(root)),
            # An empty address is the vendor's own. The script is named, since debootstrap knows
            # no release that is younger than itself.
            *(address or "", SCRIPTS[distribution.vendor]),
        )
    if distribution.vendor == "ubuntu":
        _add_updates(root / "etc" / "apt" / "sources.list", distribution.release)


def _add_updates(sources: Path, release: str) -> None:
    """Add the suites with what was corrected since the release, as Ubuntu's own images have."""
    first = sources.read_text().splitlines()[0]
    assert f" {release} " in first, first
    suites = (release, f"{release}-updates", f"{release}-security")
    sources.write_text("".join(f"{first.replace(release, suite)}\n" for suite in suites))


@contextmanager
def _keyring(distribution: Distribution) -> Iterator[str | None]:
    """Yield the file with the archive's keys; None leaves the choice to debootstrap."""
    if Path(distribution.keyring).exists():
        yield distribution.keyring
    elif distribution.vendor == "ubuntu" and Path(APT_HELPER).exists():
        with tempfile.TemporaryDirectory() as folder:
            address, checksum = UBUNTU_KEYRING
            package = f"{folder}/keyring.deb"
            engine.run(APT_HELPER, "download-file", address, package, checksum)
            engine.run("dpkg-deb", "--extract", package, f"{folder}/root")
            yield f"{folder}/root{distribution.keyring}"
    else:
        yield None


def _ensure_debootstrap(distribution: Distribution) -> None:
    otherwise = (
        f"or load an image of {distribution.image} into the engine (docker load), under that name "
        "or another that you put in MESOS_LAB_BASE_IMAGE"
    )
    if distribution.vendor == "el":
        raise engine.CommandError(
            f"image of {distribution.name} cannot be built here: no registry gives "
            f"{distribution.image}, and only systems of apt's kind are made from their packages. "
            f"Give the engine a way to a registry, {otherwise}"
        )
    if os.geteuid() != 0:
        raise engine.CommandError(
            f"image of {distribution.name} cannot be built here: only root can make "
            f"{distribution.image} without a registry. Repeat as root, {otherwise}"
        )
    if not shutil.which("debootstrap"):
        _install_debootstrap(distribution, otherwise)


def _install_debootstrap(distribution: Distribution, otherwise: str) -> None:
    if not shutil.which("apt-get"):
        raise engine.CommandError(
            f"image of {distribution.name} cannot be built here: debootstrap is not installed. "
            f"Install it, {otherwise}"
        )
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    wait = ("-o", "DPkg::Lock::Timeout=300")
    engine.stream("apt-get", "-q", "update")
    install = ("install", "--no-install-recommends", "debootstrap")
    known = subprocess.run(
        ["apt-cache", "show", "debian-archive-keyring"], capture_output=True, check=False
    )
    keyring = ("debian-archive-keyring",) if known.returncode == 0 else ()
    engine.stream("apt-get", "-q", "-y", *wait, *install, *keyring)
