"""Documents of variables and playbooks, from the specs and from the playbooks."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit import specs
from labkit.forms import TYPES, form
from labkit.paths import ROOT
from labkit.specs import Variable

VARIABLES = """# Variables

Made by `scripts/role-docs` from the roles' `meta/argument_specs.yml` and `meta/values.yml`: change
those, then run it.

Set them in the inventory (`group_vars`, `host_vars`), or for one run with `--extra-vars`. Before
any host is touched, `playbooks/preflight.yml` refuses other values than these, and names that begin
like ours and are none of these. True and false are never text, so on the command line:
`-e '{"mesos_agent_switch_user": false}'`.
"""
PLAYBOOKS = """# Playbooks

Made by `scripts/role-docs` from the comments that playbooks begin with and
`playbooks/meta/argument_specs.yml`: change those, then run it.

`ansible-playbook playbooks/NAME.yml`, with `-i` for another inventory than the lab's, `--limit` and
`--check`. In check mode roles say what they would change and change nothing; what else a playbook
does then, it says below. Beside its own variables each takes the [roles' variables](variables.md).
"""


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Return what each document should hold."""
    return {
        root / "docs" / "variables.md": "\n".join([VARIABLES, *_all_roles(root)]),
        root / "docs" / "playbooks.md": "\n".join([PLAYBOOKS, *_all_playbooks(root)]),
    }


def _all_roles(root: Path) -> Iterator[str]:
    for role in specs.roles(root):
        entry = specs.entries(role)["main"]
        yield f"## {role.name}\n"
        about = [f"{entry['short_description']}.", *_paragraphs(entry.get("description", []))]
        yield f"{' '.join(about)} [More](../roles/{role.name}/README.md)\n"
        yield from _table(specs.variables(role))


def _paragraphs(description: Any) -> list[str]:
    return [description] if isinstance(description, str) else list(description)


def _table(variables: Iterator[Variable]) -> Iterator[str]:
    yield "| Variable | Values | Default | Meaning |"
    yield "|---|---|---|---|"
    for one in variables:
        cells = (f"`{one.name}`", values(one), _default(one), _words(one.description))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _words(text: str) -> str:
    # A word in angle brackets would be taken for a tag.
    return text.replace("<", "&lt;")


def values(variable: Variable) -> str:
    """Return in words what a variable may be."""
    if variable.type == "bool":
        return "true or false"
    names = variable.forms or (("path",) if variable.type == "path" else ())
    words = ", or ".join(form(name).allowed for name in names)
    if variable.choices:
        words = ", ".join(f"`{choice}`" if choice else "empty" for choice in variable.choices)
    if variable.keys:
        words = f"a dictionary with {', '.join(variable.keys)}"
    if variable.type == "list":
        return (
            f"a list, each {words}" if words else f"a list, each {TYPES[variable.elements].allowed}"
        )
    if variable.type == "dict":
        return f"a dictionary; keys: {words}" if words else "a dictionary"
    return words or TYPES[variable.type].allowed


def _default(variable: Variable) -> str:
    if variable.required:
        return "none: must be set"
    if variable.default in ("", None):
        return "empty" if variable.default == "" else ""
    if isinstance(variable.default, str):
        return f"`{' '.join(variable.default.split())}`"
    return f"`{json.dumps(variable.default, ensure_ascii=False)}`"


def playbooks(root: Path = ROOT) -> list[Path]:
    """Return the playbooks that people run."""
    return [root / "site.yml", *sorted(root.glob("playbooks/*.yml"))]


def _all_playbooks(root: Path) -> Iterator[str]:
    variables = specs.playbook_variables(root)
    for file in playbooks(root):
        yield f"## {file.relative_to(root)}\n"
        yield f"{comment(file)}\n"
        yield from _parts(file)
        if file.stem in variables:
            yield from _table(iter(variables[file.stem]))


def comment(file: Path) -> str:
    """Return the comment that a playbook begins with, commands as blocks of code."""
    lines = file.read_text(encoding="utf-8").splitlines()[1:]
    said = [line[1:].strip() for line in itertools.takewhile(lambda one: one[:1] == "#", lines)]
    text = re.sub(r"(?m)^(ansible-playbook .*)$", r"\n```\n\1\n```\n", "\n".join(said))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _parts(file: Path) -> Iterator[str]:
    plays = specs.read(file)
    imported = (play.get("ansible.builtin.import_playbook") for play in plays)
    roles = (one for play in plays for one in play.get("roles", []))
    for title, names in (
        ("Playbooks", [Path(name).stem for name in imported if name]),
        ("Roles", [one if isinstance(one, str) else one["role"] for one in roles]),
    ):
        if names:
            yield f"{title}: {', '.join(f'`{name}`' for name in dict.fromkeys(names))}\n"


if __name__ == "__main__":
    for document, text in documents().items():
        document.write_text(text, encoding="utf-8")
        print(f"{document.relative_to(ROOT)} is written")
