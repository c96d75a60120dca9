"""How this machine reaches its package archives, so that nodes reach them the same way.

Taken from the machine whenever an image or a wheelhouse is made, never kept in the
repository: apt's sources, proxies and certificates, and pip's configuration.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from labkit.distributions import Distribution

PROXY_VARIABLES = tuple(
    name
    for scheme in ("http", "https", "no")
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())
)
APT_SETTINGS = re.compile(
    r"^Acquire::(http|https|ftp|Retries|Check-|ForceIPv|IndexTargets::\S+::DefaultEnabled)"
)
DNF_SETTINGS = """\
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
"""
"""What an EL 9 system comes with; its dnf has no folder for additions."""

FILE_SETTING = re.compile(r'^Acquire::https::\S*(CAInfo|SslCert|SslKey) "(.+)";$')

Files = dict[str, tuple[bytes, int]]
"""Absolute path in the node: content and mode."""


def node_files(distribution: Distribution) -> Files:
    """Return the files by which a node reaches the archives as this machine does."""
    if distribution.vendor == "el":
        return _el_files()
    files = _certificates("/usr/local/share/ca-certificates")
    if sources := apt_sources(Path("/etc"), distribution):
        files[f"/etc/apt/sources.list.d/{distribution.vendor}.sources"] = (
            "".join(sources).encode(),
            0o644,
        )
        files["/etc/apt/sources.list"] = (b"", 0o644)
    settings = apt_settings()
    if settings:
        files["/etc/apt/apt.conf.d/90host"] = ("\n".join([*settings, ""]).encode(), 0o644)
    for setting in settings:
        if (match := FILE_SETTING.match(setting)) and Path(match[2]).is_file():
            files[match[2]] = (Path(match[2]).read_bytes(), 0o644)
    apt = Path("/etc/apt")
    for secret in [apt / "auth.conf", *sorted(apt.glob("auth.conf.d/*.conf"))]:
        if secret.is_file() and os.access(secret, os.R_OK):
            files[str(secret)] = (secret.read_bytes(), 0o600)
    return files


def _el_files() -> Files:
    files = _certificates("/etc/pki/ca-trust/source/anchors")
    if proxy := _proxy("https") or _proxy("http"):
        files["/etc/dnf/dnf.conf"] = (f"{DNF_SETTINGS}proxy={proxy}\n".encode(), 0o644)
    return files


def _certificates(folder: str) -> Files:
    own = sorted(Path("/usr/local/share/ca-certificates").glob("**/*.crt"))
    return {f"{folder}/{path.name}": (path.read_bytes(), 0o644) for path in own}


def _proxy(scheme: str) -> str | None:
    return os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")


def archive_address(distribution: Distribution) -> str | None:
    """Return the address of the distribution's archive that this machine uses, if it uses one."""
    for stanza in apt_sources(Path("/etc"), distribution):
        fields = dict(line.split(": ", 1) for line in stanza.strip().splitlines())
        if distribution.release in fields["Suites"].split():
            return fields["URIs"].split()[0]
    return None


def apt_sources(etc: Path, distribution: Distribution) -> list[str]:
    """Return this machine's archives as stanzas of the nodes' release, [] on another vendor's."""
    release = _os_release(etc)
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") != distribution.vendor or not codename:
        return []
    folder = etc / "apt" / "sources.list.d"
    entries = [entry for path in sorted(folder.glob("*.sources")) for entry in _stanzas(path)]
    for path in [etc / "apt" / "sources.list", *sorted(folder.glob("*.list"))]:
        entries += _lines(path)
    stanzas: list[str] = []
    for uris, suites, components in entries:
        own = [suite for suite in suites if re.split("[-/]", suite)[0] == codename]
        wanted = [suite.replace(codename, distribution.release) for suite in own]
        if not wanted or "main" not in components:
            continue
        stanza = (
            f"Types: deb\nURIs: {' '.join(uris)}\nSuites: {' '.join(wanted)}\n"
            f"Components: {' '.join(distribution.components)}\n"
            f"Signed-By: {distribution.keyring}\n\n"
        )
        if stanza not in stanzas:
            stanzas.append(stanza)
    return stanzas


def _os_release(etc: Path) -> dict[str, str]:
    path = etc / "os-release"
    lines = path.read_text().splitlines() if path.exists() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


Entry = tuple[list[str], list[str], list[str]]
"""Addresses, suites and components of one source."""


def _stanzas(path: Path) -> list[Entry]:
    entries = []
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    for block in re.split(r"\n\s*\n", text):
        joined = re.sub(r"\n[ \t]+", " ", block)
        pairs = (line.partition(":") for line in joined.splitlines())
        fields = {key.strip().lower(): value.split() for key, _, value in pairs}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            uris, suites, components = (
                fields.get(key, []) for key in ("uris", "suites", "components")
            )
            entries.append((uris, suites, components))
    return entries


def _lines(path: Path) -> list[Entry]:
    lines = path.read_text().splitlines() if path.exists() else []
    entries = []
    for line in lines:
        words = re.sub(r"\[[^]]*]", "", line.partition("#")[0]).split()
        if len(words) > 3 and words[0] == "deb":
            entries.append(([words[1]], [words[2]], words[3:]))
    return entries


def apt_settings() -> list[str]:
    """Return apt's settings that decide how archives are reached, as lines of apt.conf."""
    try:
        dump = subprocess.check_output(["apt-config", "dump"], text=True)
    except (OSError, subprocess.CalledProcessError):
        dump = ""
    settings = [
        line for line in dump.splitlines() if APT_SETTINGS.match(line) and not line.endswith('"";')
    ]
    for scheme in ("http", "https"):
        proxy = _proxy(scheme)
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy") for line in settings):
            settings.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return settings


def pip_environment() -> dict[str, str]:
    """Return pip's configuration, wherever this machine keeps it, as PIP_* and proxy variables."""
    environment = {key: os.environ[key] for key in PROXY_VARIABLES if key in os.environ}
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    # Files come first in the listing and variables last, as pip's precedence wants it.
    for scope in ("global.", "install.", "download.", "wheel.", ":env:."):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(scope):
                name = "PIP_" + key.removeprefix(scope).upper().replace("-", "_")
                environment[name] = value.strip("'\"").replace("\\n", " ")
    return environment


def local_folders(environment: Mapping[str, str]) -> list[str]:
    """Return folders and files of this machine that pip's configuration leads to."""
    found = set()
    for word in (word for value in environment.values() for word in value.split()):
        path = Path(word.removeprefix("file://"))
        if not path.is_absolute() or not path.exists():
            continue
        # The pages of an index link to files beside it.
        beside = word.startswith("file://") and path.is_dir() and path.parent != Path("/")
        found.add(str(path.parent if beside else path))
    return sorted(found)
