"""The kernel as machine code: compiled by numba once, and loaded without it.

Compiled code is kept in a file whose name tells what it is from and for: the sources, the
processor, the compiler. Such a file is looked for beside the sources, where whoever installed the
package may have put it for everybody (`python -m mapreduce.kernel`), and in the user's cache. Where
there is none, the code is compiled, which takes some seconds, and kept for the next time if it can.
"""

import ctypes
import hashlib
import inspect
import marshal
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

Function = Callable[..., int]

Code = dict[str, tuple[int, str, bytes]]
"""By the function's name: how many arguments it takes, its symbol, the object file that has it."""

HERE = Path(__file__).parent


def folders() -> list[Path]:
    """Return where compiled code may be, the first that can be written takes it."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return [HERE / "__pycache__", Path(cache) / "mapreduce"]


def load() -> dict[str, Function]:
    """Return the kernel's functions by name."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    code = _kept() or _compiled()
    return {name: _function(*compiled) for name, compiled in code.items()}


def _name() -> str:
    """Return the name of the file that holds code from these sources for this processor."""
    made = hashlib.sha256()
    for source in sorted(HERE.glob("*.py")):
        made.update(source.read_bytes())
    made.update(llvm.get_host_cpu_name().encode())
    made.update(llvm.get_host_cpu_features().flatten().encode())
    made.update(llvmlite.__version__.encode())
    return f"kernel-{made.hexdigest()[:20]}.bin"


def _kept() -> Code | None:
    for folder in folders():
        try:
            code: Code = marshal.loads((folder / _name()).read_bytes())
        except (OSError, ValueError, EOFError, TypeError):
            continue
        return code
    return None


def _compiled() -> Code:
    """Compile all functions, and keep the code where that can be."""
    from numba import njit, types

    from mapreduce.kernel.counting import FUNCTIONS

    plain: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    code: Code = {}
    for function in FUNCTIONS:
        arity = len(inspect.signature(function).parameters)
        compiler: Any = njit(**plain)(function)
        compiler.compile(types.int64(*[types.int64] * arity))
        [result] = compiler.overloads.values()
        native = result.library._get_compiled_object()
        code[function.__name__] = (arity, result.fndesc.llvm_func_name, native)
    _keep(code)
    return code


def _keep(code: Code) -> None:
    reasons = []
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(marshal.dumps(code))
            # Temporary files are the owner's alone; this one is for everybody.
            Path(file.name).chmod(0o644)
            Path(file.name).replace(folder / _name())
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
        else:
            return
    print(  # noqa: T201 the executor's standard error is its log
        f"mapreduce: compiled code cannot be kept ({'; '.join(reasons)}). To save this time, let "
        "somebody who can write there run `python -m mapreduce.kernel` once.",
        file=sys.stderr,
    )


def _function(arity: int, symbol: str, compiled: bytes) -> Function:
    """Return the function in an object file; called without the interpreter's lock."""
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(compiled))
    engine.finalize_object()
    # numba's convention: where the result goes, where an exception goes; a status comes back.
    taken = (ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * arity)
    native = ctypes.CFUNCTYPE(ctypes.c_int32, *taken)(engine.get_function_address(symbol))

    def call(*numbers: int) -> int:
        result, raised = ctypes.c_int64(), ctypes.c_void_p()
        status = native(ctypes.addressof(result), ctypes.addressof(raised), *numbers)
        assert status == 0, symbol
        return result.value

    call.engine = engine  # type: ignore[attr-defined]  # lives as long as the function
    return call
