"""Content hashes: what a cached image or wheelhouse was made from."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

LENGTH = 16
"""Digits kept of a hash: enough for a cache, short enough for a tag."""

IGNORED_PARTS = {"__pycache__", "build", "dist", ".hypothesis", ".pytest_cache"}


def source_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files at and below the paths in a stable order, without what tools leave behind."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            parts = file.parts
            if (
                file.is_file()
                and not IGNORED_PARTS.intersection(parts)
                and not any(part.endswith(".egg-info") for part in parts)
            ):
                yield file


def of_files(paths: Iterable[Path], base: Path) -> str:
    """Return the hash of names (relative to base), executable bits and contents."""
    digest = hashlib.sha256()
    for file in source_files(paths):
        executable = bool(file.stat().st_mode & 0o100)
        digest.update(f"{file.relative_to(base)}\0{executable}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:LENGTH]


def of_texts(texts: Iterable[str]) -> str:
    """Return the hash of several texts, each told apart from the next."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:LENGTH]
