"""How the kernel's functions are compiled, and where the compiled code is kept.

It is kept beside the module, or in NUMBA_CACHE_DIR. numba itself uses a folder only if it can write
there; what an administrator compiled at installation is for everybody to read. Where nothing
usable is found and nothing can be written, functions are compiled in memory.
"""

import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
)
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])


class _WholeFolder:
    """What is compiled is valid as long as no module beside it changes: functions call others."""

    _py_file: str

    def get_source_stamp(self) -> str:
        modules = sorted(Path(self._py_file).parent.glob("*.py"))
        return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()


class _WhereTheUserSays(_WholeFolder, UserProvidedCacheLocator):
    pass


class _BesideTheModule(_WholeFolder, InTreeCacheLocator):
    """The module's __pycache__, also where it can only be read."""

    def ensure_cache_path(self) -> None:
        pass


class _Files(CompileResultCacheImpl):
    _locator_classes = [_WhereTheUserSays, _BesideTheModule]


class _Cache(FunctionCache):
    _impl_class = _Files

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return compiled code that was kept, or None."""
        try:
            return super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        except OSError:
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep compiled code, or do without."""
        try:
            super().save_overload(signature, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _warn(self.cache_path, error.strerror)


@functools.cache
def _warn(folder: str, reason: str) -> None:
    """Say once what costs some seconds at each start."""
    print(  # noqa: T201 the executor's standard error is its log
        f"mapreduce: compiled in memory, as {folder} cannot be written ({reason}). To save this "
        "time, let somebody who can run `python -c 'import mapreduce.kernel.counting'` once.",
        file=sys.stderr,
    )


def compiled(signature: Any) -> Callable[[F], F]:
    """Decorate a function that Python calls: compiled for one signature, or loaded, at once."""

    def compile_it(function: F) -> Any:
        dispatcher: Any = njit(nogil=True)(function)
        dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
        dispatcher.compile(signature)
        dispatcher.disable_compile()  # arguments of other types are converted, or refused
        return dispatcher

    return compile_it


def inner(function: F) -> F:
    """Decorate a function that only compiled functions call."""
    return njit(function)  # type: ignore[no-any-return]


def primitive(function: F) -> Callable[..., Any]:
    """Decorate a function that describes machine code; it is called without its first argument."""
    return intrinsic(function)
