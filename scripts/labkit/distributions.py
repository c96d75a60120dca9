"""The distributions that nodes may run: MESOS_LAB_DISTRO names one of them."""

import os
from dataclasses import dataclass

from labkit import engine

VARIABLE = "MESOS_LAB_DISTRO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What images and wheels of a distribution are made from."""

    name: str
    image: str
    """What registries call it."""

    vendor: str
    """Whose package archives it uses: debian, ubuntu or el."""

    release: str = ""
    """The release's name in archives of apt's kind."""

    python: tuple[int, int]
    """The Python that the roles use for virtual environments (node_python)."""

    python_packages: tuple[str, ...]
    """Packages that bring it, besides the distribution's own python3."""

    @property
    def interpreter(self) -> str:
        """Return the name of the Python for virtual environments."""
        return "python{}.{}".format(*self.python)

    @property
    def wheels(self) -> str:
        """Return the key of the wheels that its Python takes, up to the architecture."""
        return "cp{}{}".format(*self.python)

    @property
    def packages(self) -> list[str]:
        """Return what a node needs before Ansible can work on it, and the wheels' Python."""
        return [*(PACKAGES_OF_EL if self.vendor == "el" else PACKAGES), *self.python_packages]

    @property
    def components(self) -> list[str]:
        """Return the parts of the archives that hold what the roles install."""
        return ["main", "universe"] if self.vendor == "ubuntu" else ["main"]

    @property
    def keyring(self) -> str:
        """Return the file on a node with the keys that its archives are signed with."""
        return f"/usr/share/keyrings/{self.vendor}-archive-keyring.gpg"


PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "ca-certificates"),
    *("iproute2", "procps"),
)
"""What every node has before Ansible comes, where apt is."""

PACKAGES_OF_EL = (
    *("systemd", "dbus", "python3", "python3-dnf", "ca-certificates"),
    *("iproute", "procps-ng", "tar", "gzip"),
)

KNOWN = {
    distribution.name: distribution
    for distribution in (
        Distribution(
            name="debian12", image="debian:12", vendor="debian", release="bookworm",
            python=(3, 11), python_packages=("python3-venv",),
        ),
        Distribution(
            name="debian13", image="debian:13", vendor="debian", release="trixie",
            python=(3, 13), python_packages=("python3-venv",),
        ),
        Distribution(
            name="ubuntu2204", image="ubuntu:22.04", vendor="ubuntu", release="jammy",
            python=(3, 11), python_packages=("python3.11", "python3.11-venv"),
        ),
        Distribution(
            name="ubuntu2404", image="ubuntu:24.04", vendor="ubuntu", release="noble",
            python=(3, 12), python_packages=("python3-venv",),
        ),
        Distribution(
            name="el9", image="almalinux:9", vendor="el",
            python=(3, 12), python_packages=("python3.12",),
        ),
    )
}  # fmt: skip
DEFAULT = "debian12"


def chosen() -> Distribution:
    """Return the distribution of the nodes that are made now."""
    name = os.environ.get(VARIABLE) or DEFAULT
    if name not in KNOWN:
        raise engine.CommandError(
            f"{VARIABLE} is {name!r}; nodes may run {', '.join(KNOWN)}. Set it to one of these."
        )
    return KNOWN[name]
