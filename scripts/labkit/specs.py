"""The variables of roles and playbooks, as their specs declare them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit.paths import ROOT


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that users may set."""

    name: str
    role: str
    type: str
    description: str = ""
    elements: str = "str"
    choices: tuple[Any, ...] = ()
    default: Any = None
    required: bool = False
    secret: bool = False
    forms: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """What each dictionary of a list must hold, and nothing else."""


def read(file: Path) -> Any:
    """Return the content of a YAML file, nothing for a file that is not there."""
    # libyaml's loader is ten times as fast; not every PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text(encoding="utf-8"), Loader=loader) if file.exists() else None


def roles(root: Path = ROOT) -> list[Path]:
    """Return the folders of all roles."""
    return sorted(file.parents[1] for file in root.glob("roles/*/meta/argument_specs.yml"))


def entries(folder: Path) -> Mapping[str, Any]:
    """Return the entry points that a role's specs, or the playbooks', describe."""
    specs = read(folder / "meta" / "argument_specs.yml") or {"argument_specs": {}}
    found: Mapping[str, Any] = specs["argument_specs"]
    return found


def variables(role: Path) -> Iterator[Variable]:
    """Yield the variables of a role in the order of its specs."""
    forms = read(role / "meta" / "values.yml") or {}
    for name, option in entries(role)["main"].get("options", {}).items():
        yield variable(name, option, role.name, forms.get(name, []))


def variable(name: str, option: Mapping[str, Any], role: str, forms: Any) -> Variable:
    """Return what one option of the specs declares."""
    return Variable(
        name=name,
        role=role,
        type=option.get("type", "str"),
        description=text(option["description"]),
        elements=option.get("elements", "str"),
        choices=tuple(option.get("choices", ())),
        default=option.get("default"),
        required=option.get("required", False),
        secret=option.get("no_log", False),
        forms=tuple(forms if isinstance(forms, list) else [forms]),
        keys=tuple(option.get("options", ())),
    )


def text(description: Any) -> str:
    """Return a description as one text; it may be a list of paragraphs."""
    return " ".join(description) if isinstance(description, list) else str(description)


def playbook_variables(root: Path = ROOT) -> dict[str, list[Variable]]:
    """Return the variables that only playbooks take, by playbook."""
    folder = root / "playbooks"
    forms = read(folder / "meta" / "values.yml") or {}
    return {
        playbook: [
            variable(name, option, playbook, forms.get(name, []))
            for name, option in entry.get("options", {}).items()
        ]
        for playbook, entry in entries(folder).items()
    }


def checked(root: Path = ROOT) -> dict[str, Variable]:
    """Return every variable whose value is checked, by name."""
    of_roles = [one for role in roles(root) for one in variables(role)]
    of_playbooks = [one for listed in playbook_variables(root).values() for one in listed]
    # Given on the command line as x=false, a text that counts as true.
    told = [one for one in of_playbooks if one.forms or one.choices or one.type == "bool"]
    return {one.name: one for one in (*told, *of_roles)}


def names(root: Path = ROOT) -> set[str]:
    """Return every name that a spec of roles or playbooks knows, also those of single entries."""
    return {
        name
        for folder in (*roles(root), root / "playbooks")
        for entry in entries(folder).values()
        for name in entry.get("options", {})
    }
