"""Flags, each declared once; the command line, the environment, /flags and help derive from it.

A daemon's flags are a subclass of ``Flags`` whose class attributes are made by ``flag`` (always
has a value), ``optional`` (None unless given) or ``required``. ``load`` reads them by Mesos'
rules: ``--name=value``, ``--name`` and ``--no-name`` for booleans, ``MESOS_NAME`` in the
environment, the command line before the environment, ``file:///path`` for a value in a file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, cast, overload

from pocket_mesos.flags.types import FlagType
from pocket_mesos.protocol.errors import PocketError

T = TypeVar("T")

Validator = Callable[[Any], str | None]

ENVIRONMENT_PREFIX = "MESOS_"

_HELP_COLUMN = 50
_HELP_WIDTH = 48


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A validator that says what it allows, for the reference."""

    allowed: str
    check: Callable[[T], str | None]

    def __call__(self, value: T) -> str | None:
        """Return what is wrong with a value."""
        return self.check(value)


def allows(words: str) -> Callable[[Callable[[T], str | None]], Rule[T]]:
    """Say what a validator allows: ``@allows("a number from 0 to 1")``."""
    return lambda check: Rule(words, check)


class FlagsError(PocketError):
    """The operator gave a flag that can't be taken; ``str()`` is Mesos' sentence."""


class Flag(Generic[T]):
    """One flag: read it as an attribute of loaded ``Flags``."""

    def __init__(
        self,
        type_: FlagType[Any],
        help_: str,
        *,
        default: Any = None,
        required: bool = False,
        validator: Validator | None = None,
        alias: str | None = None,
        lacking: bool = False,
    ) -> None:
        self.type = type_
        self.help = help_
        self.default = default
        self.required = required
        self.validator = validator
        self.alias = alias
        """Former name that still works."""
        self.lacking = lacking
        """Whether Pocket lacks what the flag is about."""
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the attribute's name."""
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: "Flags", owner: type) -> T: ...

    def __get__(self, instance: "Flags | None", owner: type) -> Self | T:
        """Return the loaded value."""
        if instance is None:
            return self
        return cast("T", instance.values[self.name])


def flag(
    type_: FlagType[T],
    default: T,
    help_: str,
    *,
    validator: Callable[[T], str | None] | None = None,
    alias: str | None = None,
) -> Flag[T]:
    """Declare a flag that always has a value."""
    return Flag(type_, help_, default=default, validator=validator, alias=alias)


def optional(
    type_: FlagType[T],
    help_: str,
    *,
    validator: Callable[[T], str | None] | None = None,
    alias: str | None = None,
) -> Flag[T | None]:
    """Declare a flag that is None unless it is given."""
    return Flag(type_, help_, validator=validator, alias=alias)


def required(
    type_: FlagType[T], help_: str, *, validator: Callable[[T], str | None] | None = None
) -> Flag[T]:
    """Declare a flag without which the daemon doesn't start."""
    return Flag(type_, help_, required=True, validator=validator)


def unsupported(
    type_: FlagType[T], default: T | None, help_: str, *, alias: str | None = None
) -> Flag[T | None]:
    """Declare a flag of Mesos whose feature Pocket lacks: only its default is accepted."""

    def refuse(value: T | None) -> str | None:
        if value == default:
            return None
        shown = "not given" if default is None else f"'{type_.show(default)}'"
        return f"Pocket Mesos lacks this feature of Mesos: leave the flag {shown}"

    return Flag(type_, help_, default=default, validator=refuse, alias=alias, lacking=True)


class Flags:
    """Loaded flags; subclasses declare them."""

    program = "mesos"

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Hold loaded values; :meth:`load` makes them."""
        self.values = dict(values)

    @classmethod
    def declared(cls) -> dict[str, Flag[Any]]:
        """Return all flags by name, in alphabetical order."""
        found = {}
        for base in reversed(cls.__mro__):
            found.update({n: f for n, f in vars(base).items() if isinstance(f, Flag)})
        return dict(sorted(found.items()))

    @classmethod
    def load(cls, arguments: Iterable[str], environment: Mapping[str, str]) -> Self:
        """Read the command line and the environment.

        Raises:
            FlagsError: an unknown, malformed, missing or refused flag.
        """
        declared = cls.declared()
        names = {f.alias: n for n, f in declared.items() if f.alias} | {n: n for n in declared}
        texts = _from_environment(environment, names)
        texts.update(_from_command_line(arguments, names, declared))
        values = {
            name: _parse(one, texts[name]) if name in texts else one.default
            for name, one in declared.items()
        }
        wants_text = any(values.get(name) for name in ("help", "version"))
        if not wants_text:
            _check(declared, values)
        return cls(values)

    def printed(self) -> dict[str, str]:
        """Return the flags that have a value, as /flags prints them."""
        declared = self.declared()
        return {
            name: declared[name].type.show(value)
            for name, value in sorted(self.values.items())
            if value is not None
        }

    @classmethod
    def usage(cls, message: str | None = None) -> str:
        """Return the help text, below a message if there is one."""
        lines = [] if message is None else [message, ""]
        lines += [f"Usage: {cls.program} [options]", ""]
        for name, one in cls.declared().items():
            lines += _help_lines(name, one)
        return "\n".join(lines) + "\n"


def _from_environment(environment: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Pick the known flags; unknown MESOS_ variables belong to others and are ignored."""
    texts = {}
    for variable, value in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if name in names:
                texts[names[name]] = value
    return texts


def _from_command_line(
    arguments: Iterable[str], names: Mapping[str, str], declared: Mapping[str, Flag[Any]]
) -> dict[str, str]:
    texts: dict[str, str] = {}
    for argument in arguments:
        if argument == "--":
            break
        if not argument.startswith("--"):
            continue
        given, has_value, value = argument[2:].partition("=")
        name, text = _resolve(given, value if has_value else None, names, declared)
        if name in texts:
            raise FlagsError(f"Duplicate flag '{given}' on command line")
        texts[name] = text
    return texts


def _resolve(
    given: str, value: str | None, names: Mapping[str, str], declared: Mapping[str, Flag[Any]]
) -> tuple[str, str]:
    """Return the flag's name and its text for one argument."""
    if given in names:
        name = names[given]
        if value is not None:
            return name, value
        if declared[name].type.boolean:
            return name, "true"
        raise FlagsError(f"Failed to load non-boolean flag '{given}': Missing value")
    positive = given.removeprefix("no-")
    if positive == given or positive not in names:
        raise FlagsError(f"Failed to load unknown flag '{given}'")
    name = names[positive]
    if not declared[name].type.boolean:
        raise FlagsError(f"Failed to load non-boolean flag '{positive}' via '{given}'")
    if value is not None:
        raise FlagsError(
            f"Failed to load boolean flag '{positive}' via '{given}' with value '{value}'"
        )
    return name, "false"


def _parse(one: Flag[Any], text: str) -> Any:
    try:
        if one.type.read_files and text.startswith("file://"):
            text = Path(text.removeprefix("file://")).read_text(encoding="utf-8").strip()
        return one.type.parse(text)
    except OSError as error:
        raise FlagsError(
            f"Failed to load flag '{one.name}': Failed to fetch value '{text}': {error}"
        ) from None
    except ValueError as error:
        value = "value" if one.type.secret else f"value '{text}'"
        raise FlagsError(
            f"Failed to load flag '{one.name}': Failed to load {value}: {error}"
        ) from None


def _check(declared: Mapping[str, Flag[Any]], values: Mapping[str, Any]) -> None:
    for name, one in declared.items():
        if one.required and values[name] is None:
            raise FlagsError(f"Flag '{name}' is required, but it was not provided")
        if one.validator is not None and values[name] is not None:
            error = one.validator(values[name])
            if error is not None:
                raise FlagsError(f"Flag '{name}' is invalid: {error}")


def _help_lines(name: str, one: Flag[Any]) -> list[str]:
    left = f"  --[no-]{name}" if one.type.boolean else f"  --{name}=VALUE"
    text = one.help
    if one.default is not None:
        text += f" (default: {one.type.show(one.default)})"
    right = _wrap(text)
    lines = [f"{left:<{_HELP_COLUMN}}{right[0]}"]
    lines += [" " * _HELP_COLUMN + line for line in right[1:]]
    return lines


def _wrap(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _HELP_WIDTH:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
