"""Settings of a job, from the text of `--set NAME=VALUE` to the class' typed arguments."""

import difflib
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union

from mapreduce.errors import UsageError

T = TypeVar("T")

TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def construct(kind: type[T], name: str, arguments: Mapping[str, str]) -> T:
    """Return an object of the class, its arguments converted as their annotations say.

    Raises UsageError for an argument that the class does not have, lacks, or refuses.
    """
    parameters = _parameters(kind)
    missing = {
        key
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in arguments
    }
    wrong = sorted(set(arguments) - set(parameters))
    if wrong or missing:
        trouble = f"has no setting {', '.join(map(repr, wrong))}" if wrong else _lacks(missing)
        raise UsageError(f"The job {name!r} {trouble}.{close(wrong, parameters)} {describe(kind)}")
    values = {
        key: _convert(parameters[key], text, f"The job {name!r}: --set {key}={text}")
        for key, text in arguments.items()
    }
    try:
        return kind(**values)
    except Exception as error:  # the job's own code refuses
        raise UsageError(
            f"The job {name!r} does not take these settings: {type(error).__name__}: {error}"
        ) from error


def close(names: Iterable[str], known: Iterable[str]) -> str:
    """Return the question whether others were meant, where some resemble these names."""
    meant = [near for name in names for near in difflib.get_close_matches(name, list(known), 1)]
    return f" Is {' and '.join(map(repr, meant))} meant?" if meant else ""


def describe(kind: type[Any]) -> str:
    """Return a sentence that lists the class' settings, as they are written."""
    listed = ", ".join(map(_describe, _parameters(kind).values()))
    return f"Its settings: {listed}." if listed else "It has no settings."


def _lacks(missing: set[str]) -> str:
    return f"needs --set {' --set '.join(f'{key}=...' for key in sorted(missing))}"


def _parameters(kind: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters that settings can fill, with their annotations resolved."""
    try:
        hints = typing.get_type_hints(kind.__init__)
    except Exception:  # names that only type checkers import: such settings are text
        hints = {}
    ignored = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        key: parameter.replace(annotation=hints.get(key, str))
        for key, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind not in ignored
    }


def _describe(parameter: inspect.Parameter) -> str:
    written = f"{parameter.name}={_form(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{written} (must be given)"
    shown = _shown(parameter.default)
    return f"{written} ({shown})" if shown else written


def _shown(default: Any) -> str:
    """Return a default as it would be given; nothing for what --set cannot give."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, (list, tuple)):
        return ",".join(map(_shown, default))
    return str(default) if isinstance(default, (str, int, float)) else ""


def _form(annotation: Any) -> str:
    """Return how a value is written: `int`, `yes|no`, `a|b`, `str,str,...`."""
    annotation = _without_none(annotation)
    if annotation is bool:
        return "yes|no"
    if typing.get_origin(annotation) is Literal:
        return "|".join(map(str, typing.get_args(annotation)))
    if (item := _item(annotation)) is not None:
        return f"{_form(item)},..."
    return getattr(annotation, "__name__", "text")


def _convert(parameter: inspect.Parameter, text: str, given: str) -> Any:
    try:
        return _value(parameter.annotation, text)
    except ValueError:
        wanted = _form(parameter.annotation)
        raise UsageError(f"{given} is not of the form {parameter.name}={wanted}.") from None


def _value(annotation: Any, text: str) -> Any:
    """Return the text as the annotation says; raises ValueError where it cannot be read so."""
    annotation = _without_none(annotation)
    if annotation is bool:
        if text.lower() not in TRUTH:
            raise ValueError(text)
        return TRUTH[text.lower()]
    if annotation in (int, float):
        return annotation(text)
    if typing.get_origin(annotation) is Literal:
        choices = {str(choice): choice for choice in typing.get_args(annotation)}
        if text not in choices:
            raise ValueError(text)
        return choices[text]
    if (item := _item(annotation)) is not None:
        listed = [_value(item, part) for part in text.split(",")] if text else []
        return listed if (typing.get_origin(annotation) or annotation) is list else tuple(listed)
    return text


def _item(annotation: Any) -> Any:
    """Return the type of the items where the annotation is a list's or a tuple's."""
    if (typing.get_origin(annotation) or annotation) not in (list, tuple):
        return None
    return next(iter(typing.get_args(annotation)), str)


def _without_none(annotation: Any) -> Any:
    """Return T for `T | None`."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return next(arg for arg in typing.get_args(annotation) if arg is not types.NoneType)
    return annotation
