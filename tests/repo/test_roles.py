"""The roles keep to one skeleton, and say in their specs what their defaults are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/tasks/main.yml"))
STAGES = ["preflight", "install", "configure", "service"]
TASK_FILES = sorted(ROOT.glob("roles/*/tasks/*.yml")) + sorted(ROOT.glob("roles/*/handlers/*.yml"))
SERVICES = {"zookeeper", "mesos_master", "mesos_agent"}


def load(path: Path) -> Any:
    """Return a YAML file's content."""
    return yaml.safe_load(path.read_text())


def normal(value: Any) -> Any:
    """Return a default as it counts: where a long expression is broken into lines does not."""
    return " ".join(value.split()) if isinstance(value, str) else value


def options(role: Path) -> dict[str, Any]:
    """Return what a role's specs say of its variables."""
    specs = load(role / "meta" / "argument_specs.yml")
    found: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return found


def test_there_are_roles():
    """The tests below look at the roles of the design, not at an empty folder."""
    assert {role.name for role in ROLES} >= {"node", "mesos_engine", "mapreduce", *SERVICES}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
class TestRole:
    def test_specs_and_defaults_agree(self, role):
        """Each variable has a spec, and each default in a spec is the one that holds."""
        defaults = load(role / "defaults" / "main.yml")
        specified = {
            name: option["default"]
            for name, option in options(role).items()
            if not option.get("required")
        }
        assert {name: normal(value) for name, value in specified.items()} == {
            name: normal(value) for name, value in defaults.items()
        }

    def test_specs_describe_and_type_every_variable(self, role):
        """A reader learns each variable's meaning and type from the specs alone."""
        for name, option in options(role).items():
            assert option.get("description"), name
            assert option.get("type"), name
            assert option["type"] != "list" or option.get("elements"), name

    def test_public_variables_carry_the_role_name(self, role):
        """No variable of a role can be taken for another role's."""
        assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []

    def test_private_variables_carry_it_too(self, role):
        """What only the role itself uses says so by two underscores."""
        private = load(role / "vars" / "main.yml") if (role / "vars" / "main.yml").exists() else {}
        assert [name for name in private if not name.startswith(f"__{role.name}_")] == []

    def test_main_lists_the_stages_and_nothing_else(self, role):
        """tasks/main.yml is a table of contents, in the order of every other role."""
        tasks = load(role / "tasks" / "main.yml")
        files = [task["ansible.builtin.import_tasks"] for task in tasks]
        assert [set(task) for task in tasks] == [{"name", "ansible.builtin.import_tasks"}] * len(
            tasks
        )
        stages = [Path(file).stem for file in files]
        assert stages == [stage for stage in STAGES if stage in stages]
        assert "preflight" in stages

    def test_there_is_a_readme_and_a_check_of_values(self, role):
        """Each role explains itself, and says what preflight is to hold its variables to."""
        assert (role / "README.md").read_text().startswith(f"# {role.name}\n")
        assert (role / "meta" / "values.yml").exists()


# Grafana's package is in no distribution's archive, and nodes in tests reach no other; what the
# dashboard asks is tried by molecule/observability.
TRIED = [role for role in ROLES if role.name != "grafana"]


@pytest.mark.parametrize("role", TRIED, ids=lambda role: role.name)
def test_there_are_both_scenarios(role):
    """Each role is tried with its defaults and with other values, on a node of its own."""
    folder = role / "molecule"
    assert (folder / "converge.yml").exists()
    assert list((folder / "tests").glob("test_*.py"))
    default, alternative = (
        load(folder / name / "vars.yml")
        for name in ("default", "alternative")
        if (folder / name / "molecule.yml").exists()
    )
    assert len(alternative) > len(default)


def test_preflight_asks_every_role_that_has_questions():
    """What a role says of the inventory beyond single values is asked before anything else."""
    checks = load(ROOT / "playbooks" / "preflight.yml")[0]["tasks"][0]["block"]
    asked = next(task["loop"] for task in checks if "loop" in task)
    answers = [role.name for role in ROLES if (role / "tasks" / "inventory.yml").exists()]
    assert sorted(asked) == answers


@pytest.mark.parametrize("role", sorted(SERVICES))
def test_a_restart_is_followed_by_a_wait(role):
    """A handler that restarts a service has it waited for until it serves."""
    tasks = load(ROOT / "roles" / role / "handlers" / "main.yml")
    handlers = {task["name"]: task for task in tasks}
    restarts = [task for task in tasks if "ansible.builtin.systemd_service" in task]
    assert restarts
    for restart in restarts:
        assert handlers[restart["notify"]]["ansible.builtin.include_tasks"] == "ready.yml"


@pytest.mark.parametrize("file", TASK_FILES, ids=lambda file: str(file.relative_to(ROOT / "roles")))
def test_task_files_are_short_enough_to_read(file):
    """A file beyond a hundred lines is split."""
    assert len(file.read_text().splitlines()) <= 100


def test_every_assertion_says_what_was_found_and_what_to_change():
    """A refusal names a variable, a group, a program or a file that puts it right."""
    for file in TASK_FILES:
        for task in re.split(r"\n(?= *- name: )", file.read_text()):
            if "ansible.builtin.assert:" in task:
                assert "fail_msg:" in task, f"{file}: {task}"


def test_flag_variables_become_the_flags_of_their_names():
    """mesos_master_<flag> and mesos_agent_<flag> are handed to the engine as <flag>."""
    other = {"group", "zookeeper_group", "flags", "hardening", "restart", "ready_timeout"}
    for role in ("mesos_master", "mesos_agent"):
        table = load(ROOT / "roles" / role / "vars" / "main.yml")[f"__{role}_flags"]
        handed = dict(re.findall(rf"'(\w+)': {role}_(\w+),", table))
        assert {flag for flag, variable in handed.items() if flag != variable} == set()
        declared = {name.removeprefix(f"{role}_") for name in options(ROOT / "roles" / role)}
        assert set(handed) == declared - other
