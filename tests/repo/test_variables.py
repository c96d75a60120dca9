"""Preflight refuses a wrong value of every variable, and takes the good ones."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from labkit import specs
from labkit.forms import FORMS, TYPES, form
from labkit.specs import Variable
from labkit.variables import OURS, Inventory, Known, Unrenderable, fault, problems

ROOT = Path(__file__).parents[2]
KNOWN = Known(specs.checked(), specs.names())
VARIABLES = list(KNOWN.variables.values())
GROUPS = {
    "zookeeper": ["one"],
    "mesos_masters": ["one"],
    "mesos_agents": ["one", "two"],
    "clients": ["one"],
    "nodes": ["one", "two"],
}
HOSTS: dict[str, dict[str, Any]] = {"one": {}, "two": {}}

WRONG_TYPE = {
    "str": [["a"], True],
    "path": [["a"], 7],
    "int": ["many", 1.5, True],
    "float": ["much", False],
    "bool": ["false", "no", 0],
    "list": ["one, two", {"one": 1}],
    "dict": ["one=1", ["one"]],
    "raw": [],
}

WRONG_FORM: dict[str, list[Any]] = {
    "text": ["", "  ", "two\nlines"],
    "empty": ["x"],
    "port": [0, 65536, -1, "http"],
    "address": ["10.0.0", "10.0.0.256", "10.0.0.1/24", "fd00::1", "control1"],
    "network": ["172.28.10.1/24", "172.28.10.0/25", "10.0.0.0/8", "8.8.8.0/24", "lab", "fd00::/64"],
    "lab": ["", "Lab", "-lab", "lab-", "my lab", "x" * 33, "lab_1"],
    "host": ["", "a b", "http://a", "-a"],
    "path": ["var/lib", "~/x", "/a b", ""],
    "folder here": ["  ", "a\nb"],
    "duration": ["10", "10 secs", "10s", "secs", "-1secs", "1min"],
    "span": ["30", "30 s", "s", "30secs"],
    "memory": ["96", "96mb", "m", "0m", "1.5g"],
    "user": ["Root", "a b", "0x", "a" * 33, "a:b"],
    "principal": ["a b", "a:b", "", "a/b"],
    "group": ["mesos-agents", "a b", "", "1st"],
    "package": ["a b", "-y", "", "a;b"],
    "unit": ["zookeeper", "a b.service"],
    "zk": ["host:2181", "zk://host/mesos", "zk://host:2181", "zk://:2181/mesos", "zk://a:1, b:2/x"],
    "master": ["host", "http://host:5050", "zk://host:2181"],
    "url": ["host/path", "https://", "http://a b"],
    "checksum": ["sha256:abc", "0" * 64, "md5:" + "0" * 32, "sha256:" + "G" * 64],
    "checksum of 512 bits": ["sha512:" + "0" * 64, "0" * 128, "sha256:" + "0" * 128],
    "release": ["1.11.0", "0123456789a", "0123456789AB"],
    "fingerprint": ["0" * 39, "DF7D54CBE56151BF", "x" * 40],
    "key": ["mQENBF", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----"],
    "suite": ["a b", "", "-a"],
    "version": ["latest", "v1", "1 2"],
    "secret": ["short", "with blanks in it, long enough", "x" * 129],
    "resources": ["cpus=2", "cpus:two", "cpus:2;mem", "ports:31000-32000", "[{]", "cpus:-1", "[1]"],
    "attributes": ["rack", "rack=a", "rack:a,disk:ssd", ";", "a b:c"],
    "isolation": ["cgroup/cpu", "cgroups/cpu, cgroups/mem", "cgroups/memory", ""],
    "word": ["SRVR", "sr", "srvr,ruok"],
    "setting": ["a b", "", "a=b"],
    "flag": ["zk-session-timeout", "--port", "Port", "MESOS_PORT", ""],
}

RIGHT_FORM: dict[str, list[Any]] = {
    "text": ["a", "a b"],
    "empty": [""],
    "port": [1, 65535, "5050"],
    "address": ["10.0.0.1"],
    "network": ["172.28.10.0/24", "10.1.0.0/16"],
    "lab": ["lab", "mesos-lab-2", "x" * 32],
    "host": ["10.0.0.1", "control1.example.org", "a"],
    "path": ["/var/lib/x", "/"],
    "folder here": ["wheels", "/a b/c"],
    "duration": ["10secs", "1.5mins", "500ms", "1weeks", "3hrs", "0ns"],
    "span": ["30s", "1h30m", "15d"],
    "memory": ["96m", "1G", "2048K"],
    "user": ["root", "_apt", "mesos-tasks"],
    "principal": ["operator", "a.b-c_D"],
    "group": ["mesos_agents", "all"],
    "package": ["libre2-9", "libgrpc++1.51", "python3.11", "mesos=1.11.0-2.0.1", "gcc:amd64"],
    "unit": ["zookeeper.service", "a@b.timer"],
    "zk": ["zk://a:1/mesos", "zk://a:1,10.0.0.2:2/mesos/x", "zk://u:p@a:1/m"],
    "master": ["10.0.0.1:5050", "zk://a:1/mesos"],
    "url": ["https://example.org/a?b", "file:///a"],
    "checksum": ["sha256:" + "0" * 64],
    "checksum of 512 bits": ["sha512:" + "0" * 128],
    "release": ["0123456789ab"],
    "fingerprint": ["A" * 40, "81026D0004C44CF7EF55ADF8DF7D54CBE56151BF", "0" * 64, "0000 " * 10],
    "key": ["-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP PUBLIC KEY BLOCK-----\n"],
    "suite": ["bullseye", "stable/main"],
    "version": ["1.11.0", "1.11.0-2.0.1.debian10", "3.8.4"],
    "secret": ["x" * 16, "aB3._-aB3._-aB3._-"],
    "resources": [
        *("cpus:2", "cpus:2;mem:1024;disk:5120;ports:[31000-32000]", "cpus:0.5; mem:1"),
        *("cpus(role):2", "cpus(*):1;cpus(a/b):1", "ports:[1-2, 4-5]", "x:{a,b}", "cpus:2;"),
        '[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}}]',
    ],
    "attributes": ["rack:a", "rack:a;disk:ssd", "n:1.5", "ports:[1-2,4-5]", "node:agent1;"],
    "isolation": ["posix/cpu,posix/mem", "cgroups/cpu", "com_example_Isolator,cgroups/mem"],
    "word": ["srvr"],
    "setting": ["snapCount", "4lw.commands.whitelist"],
    "flag": ["allocation_interval"],
}


def wrong_values(variable: Variable) -> Iterator[Any]:
    """Yield values that a variable must not have, from its type, its choices and its forms."""
    yield from WRONG_TYPE[variable.type]
    if variable.keys:
        yield from ([{}], ["text"], [{**dict.fromkeys(variable.keys, "x"), "other": 1}])
    scalars: list[Any] = []
    if variable.choices:
        scalars.append("none of the choices")
    elif variable.forms or variable.type == "path":
        forms = variable.forms or ("path",)
        candidates = [value for name in forms for value in wrong_of_form(name)]
        scalars += [one for one in candidates if not any(form(name).fits(one) for name in forms)]
    for value in scalars:
        if variable.type == "list":
            yield [value]
        elif variable.type == "dict":
            yield {value: 1}
        else:
            yield value


def wrong_of_form(name: str) -> list[Any]:
    """Return values that do not fit a form or a range."""
    if name in FORMS:
        return WRONG_FORM.get(name, [])
    low, high = name.split("..")
    return [int(low) - 1, *([int(high) + 1] if high else []), "some"]


CASES = [(one, value) for one in VARIABLES for value in wrong_values(one)]


def test_forms_have_examples():
    """A new form comes with values that it takes and values that it refuses, above."""
    assert set(WRONG_FORM) == set(RIGHT_FORM) == set(FORMS)


def test_every_variable_has_a_form_that_values_can_fail():
    """A new variable says what its values look like, or nothing of it could be refused."""
    free = {"bool", "dict", "path"}
    formless = [
        one.name for one in VARIABLES
        if not (one.forms or one.choices or one.type in free or one.elements == "dict")
    ]  # fmt: skip
    assert formless == [], "name their forms in meta/values.yml of their roles"
    assert {one.name for one, _ in CASES} == set(KNOWN.variables)


@pytest.mark.parametrize(
    "folder", [*specs.roles(), ROOT / "playbooks"], ids=lambda folder: folder.name
)
def test_values_name_variables_and_forms_that_exist(folder):
    """meta/values.yml holds nothing that the specs do not have, and no unknown form."""
    named = specs.read(folder / "meta" / "values.yml") or {}
    assert set(named) - set(KNOWN.variables) == set()
    assert all(name.startswith(f"{folder.name}_") for name in named if folder in specs.roles())


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda one: one.name)
def test_types_and_forms_are_known(variable):
    """Specs use the types that are checked, and forms that there are."""
    assert {variable.type, variable.elements} <= set(TYPES)
    assert all(form(name).allowed for name in variable.forms)


@pytest.mark.parametrize(
    ("variable", "value"), CASES, ids=lambda one: str(getattr(one, "name", one))[:40]
)
def test_a_wrong_value_is_refused(variable, value):
    """The message names the variable and the host, and says what is allowed."""
    found = problems(Inventory({**HOSTS, "two": {variable.name: value}}, GROUPS), KNOWN)
    mine = [one for one in found if one.startswith(f"{variable.name} is")]
    assert len(mine) == 1, found
    assert "Set it to " in mine[0]
    assert mine[0].endswith("Found on two.")


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda one: one.name)
def test_a_default_is_taken(variable):
    """What a role declares itself is never refused; expressions are Ansible's to work out."""
    if variable.default is not None and "{{" not in str(variable.default):
        assert fault(variable, variable.default) is None


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_tells_right_from_wrong(name):
    """Each form takes what is meant by it and refuses what looks like it."""
    assert [value for value in RIGHT_FORM[name] if not form(name).fits(value)] == []
    assert [value for value in WRONG_FORM[name] if form(name).fits(value)] == []


def test_secrets_are_not_shown():
    """A secret that is refused does not appear in the message."""
    secret = Variable(name="x", role="r", type="str", secret=True, forms=("secret",))
    assert "geheim wort" not in str(fault(secret, "geheim wort"))


def one_problem(values: dict[str, Any], groups: dict[str, list[str]] = GROUPS) -> str:
    """Return the only mistake of an inventory whose first host has the values."""
    found = problems(Inventory({"one": values, "two": {}}, groups), KNOWN)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mesos_mastr_port", "mesos_master_port"),
        ("mesos_master_prot", "mesos_master_port"),
        ("zokeeper_heap", "zookeeper_heap"),
        ("node_adress", "node_address"),
        ("mapreduce_input", "mapreduce_inputs"),
        ("lab_subnett", "lab_subnet"),
    ],
)
def test_a_misspelt_name_is_found(name, meant):
    """A variable that nothing reads is refused, with the one that was meant."""
    assert f"no variable {name}: did you mean {meant}" in one_problem({name: 1})


def test_names_that_only_look_like_ours_are_found():
    """What begins like our variables and is none of them would be set in vain."""
    found = one_problem({f"{OURS[0]}xyzzy_quux": 1})
    assert f"no variable {OURS[0]}xyzzy_quux" in found


@pytest.mark.parametrize(
    "name",
    ["ansible_host", "my_mesos_port", "node_exporter_version", "prometheus_targets", "__mesos_x"],
)
def test_variables_of_others_are_left_alone(name):
    """An inventory may serve other playbooks too."""
    assert problems(Inventory({**HOSTS, "one": {name: 1}}, GROUPS), KNOWN) == []


def test_a_flag_with_a_variable_of_its_own_is_refused():
    """Health checks and other roles read the variable: the flag alone would mislead them."""
    assert "Set mesos_master_port instead" in one_problem({"mesos_master_flags": {"port": 5050}})


def test_ports_of_one_host_differ():
    """Two services of a host cannot listen on one port, be it set or a default."""
    found = one_problem({"mesos_master_port": "2181"})
    assert "mesos_master_port and zookeeper_client_port are 2181 alike" in found
    elsewhere = Inventory({"one": {}, "two": {"mesos_agent_port": 5050}}, GROUPS)
    assert problems(elsewhere, KNOWN) == []


def test_a_misspelt_group_is_found():
    """Hosts of a group that means nothing would get nothing."""
    groups = {**GROUPS, "mesos_agents": [], "mesos_agent": ["two"]}
    assert "Group mesos_agent (two) means nothing here: did you mean mesos_agents" in one_problem(
        {}, groups
    )
    assert problems(Inventory(HOSTS, {**GROUPS, "zookeeper2": ["two"]}), KNOWN) == []


def test_all_mistakes_are_told_at_once_and_each_once():
    """One run finds everything; what is on all hosts is told once."""
    values = {"mesos_master_port": 0, "zookeeper_heap": Unrenderable("'x' is undefined")}
    found = problems(Inventory(dict.fromkeys(HOSTS, values), GROUPS), KNOWN)
    assert len(found) == 2
    assert all(one.endswith("Found on all hosts.") for one in found)
    assert any("zookeeper_heap cannot be worked out: 'x' is undefined" in one for one in found)


def preflight(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run playbooks/preflight.yml as Ansible does."""
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "0",
    }
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", *arguments, "playbooks/preflight.yml"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_ansible_refuses_a_wrong_value_of_every_variable(tmp_path):
    """The playbook itself finds them all in one run, and comes to no host."""
    wrong = {}
    for one, value in CASES:
        wrong.setdefault(one.name, value)
    values = tmp_path / "wrong.yml"
    values.write_text(yaml.safe_dump(wrong))
    result = preflight("--inventory=inventory/example", f"--extra-vars=@{values}")
    assert result.returncode == 2, result.stdout + result.stderr
    missing = [name for name in wrong if f"{name} is" not in result.stdout]
    assert missing == [], result.stdout
    assert "unreachable=0" in result.stdout


def test_ansible_takes_the_example():
    """The example for machines of one's own passes as it is, with defaults and expressions."""
    result = preflight("--inventory=inventory/example", "--extra-vars", json.dumps({"my_own": 1}))
    assert result.returncode == 0, result.stdout + result.stderr
