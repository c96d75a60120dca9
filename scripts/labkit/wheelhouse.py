"""The wheelhouse: engine, framework and all they need as wheels for the nodes' Python.

Built on a node of the bare image, so that Python version, C library and architecture are
the nodes' own. Folder: .lab/cache/wheelhouse/<key>, key as in cp311-x86_64; its file
`definition` holds the hash of what it was made from. A link beside it, named like the
distribution, tells which is for its nodes: two distributions with one Python share one.
"""

import shutil
from pathlib import Path

from labkit import bare_image, cache, digest, distributions, engine, host_config
from labkit.paths import CACHE, ROOT, WHEELHOUSES

OWN = [ROOT / "compat" / "http-parser", ROOT / "engine", ROOT / "framework"]
LOCKS = [ROOT / "requirements" / "build.txt", ROOT / "requirements" / "node.txt"]
DEFINITION_FILE = "definition"

PROBE = "import platform, sys;print('cp%d%d-%s' % (*sys.version_info[:2], platform.machine()))"

# The wheels of third parties: PyMesos is source only, hence the build requirements first.
THIRD_PARTY = """
$PYTHON -m venv /build/venv
/build/venv/bin/pip install -q --require-hashes --no-deps -r /build/build.txt
/build/venv/bin/pip wheel --require-hashes --no-deps --no-build-isolation --progress-bar off \
    -r /build/node.txt -w /build/wheels
"""

# The same sources give the same bytes, so that an unchanged wheel is not installed again.
OWN_WHEELS = """
export SOURCE_DATE_EPOCH=315532800
test -d /build/venv || $PYTHON -m venv /build/venv
/build/venv/bin/pip install -q --require-hashes --no-deps -r /build/build.txt
/build/venv/bin/pip wheel --no-deps --no-build-isolation --no-index --no-cache-dir \
    -w /build/wheels /build/src/*
"""


def definition() -> str:
    """Return the hash of everything that the wheels are made from."""
    sources = [path / part for path in OWN for part in ("pyproject.toml", "README.md", "src")]
    return f"{digest.of_files(LOCKS, ROOT)}-{digest.of_files(sources, ROOT)}"


def find() -> Path | None:
    """Return the folder of an up-to-date wheelhouse for the nodes, if there is one."""
    folder = _folder()
    file = folder / DEFINITION_FILE
    return folder if file.exists() and file.read_text().strip() == definition() else None


def ensure() -> Path:
    """Return the folder of the wheelhouse, building what has changed."""
    with cache.only_one("wheelhouse"):
        folder = find() or _build()
        link = WHEELHOUSES / distributions.chosen().name
        if not link.is_symlink() or link.readlink() != Path(folder.name):
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name)
        return folder


def _folder() -> Path:
    return WHEELHOUSES / f"{distributions.chosen().wheels}-{engine.architecture()}"


def _build() -> Path:
    image = bare_image.ensure()
    interpreter = distributions.chosen().interpreter
    environment = {**host_config.pip_environment(), "PYTHON": interpreter}
    mounts = [f"--volume={path}:{path}:ro" for path in host_config.local_folders(environment)]
    options = ["--network", "host", *(mounts if engine.is_local() else [])]
    with engine.container(image, *options) as container:
        target = WHEELHOUSES / container.output(interpreter, "-c", PROBE)
        if target != _folder():
            raise engine.CommandError(
                f"{interpreter} of {image} takes wheels for {target.name}, not {_folder().name}"
            )
        container.put_files({f"/build/{path.name}": (path.read_bytes(), 0o644) for path in LOCKS})
        for path in OWN:
            container.put_tree(path, f"/build/src/{path.name}")
        third_party = _third_party(container, environment, target.name)
        container.shell(OWN_WHEELS, environment)
        own = CACHE / f"wheelhouse-{target.name}.new"
        shutil.rmtree(own, ignore_errors=True)
        container.fetch("/build/wheels", own)
    for wheel in third_party.glob("*.whl"):
        shutil.copy2(wheel, own)
    (own / DEFINITION_FILE).write_text(definition() + "\n")
    _replace(own, target)
    return target


def _third_party(container: engine.Container, environment: dict[str, str], key: str) -> Path:
    """Return a folder with the wheels of others, built only when the lock files changed."""
    folder = CACHE / "third-party" / f"{key}-{digest.of_files(LOCKS, ROOT)}"
    if not folder.is_dir():
        container.shell(THIRD_PARTY, environment)
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        container.fetch("/build/wheels", new)
        container.shell("rm -r /build/wheels")
        for other in folder.parent.glob(f"{key}-*"):
            if other != new:
                shutil.rmtree(other)
        new.rename(folder)
    return folder


def _replace(new: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
