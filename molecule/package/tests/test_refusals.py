"""What is wrong with a repository is told as what it is, before the node hears of it."""

import json

import pytest
from support import inventory, playbook

EXPECTED = {
    "another fingerprint": ["keys with the fingerprint", "mesos_engine_package_key_fingerprint"],
    "no fingerprint": ["keys with the fingerprint", "mesos_engine_package_key_fingerprint"],
    "an expired key": ["has expired on 2020-01-02", "mesos_engine_package_key_url"],
    "a revoked key": ["was revoked", "mesos_engine_package_key_url"],
    "a key that is not there": ["cannot be had from", "404", "mesos_engine_package_key_url"],
    "a key of another repository": ["another key", "mesos_engine_package_key_fingerprint"],
    "an unsigned repository": ["it is not signed", "mesos_engine_package_urls"],
    "no repository there": ["does not answer", "mesos_engine_package_urls"],
    "no such suite": ["no such suite", "sarge", "mesos_engine_package_suite"],
    "no such package": ["no package no-mesos", "mesos_engine_package_name"],
    "no such version": ["1.11.0-0.2, 1.11.0-0.1, not 9.9-1", "mesos_engine_package_version"],
    "a stray file": ["/etc/mesos-slave/isolation", "mesos_agent"],
}


@pytest.fixture(scope="module")
def refusals():
    """Return each case's message; the plays must have changed nothing on the node."""
    node = inventory.group("mesos_masters")[0]
    trace = "find /etc/apt /etc/mesos* -type f | sort | xargs md5sum; ls -A /tmp; dpkg --list"
    before = node.run(trace)
    run = playbook.run("molecule/package/refusals.yml")
    assert run.changed == frozenset()
    assert node.run(trace) == before
    report = json.loads(run.output[run.output.index("{") :])
    messages = [
        outcome["msg"]
        for play in report["plays"]
        for task in play["tasks"]
        if task["task"]["name"] == "Report"
        for outcome in task["hosts"].values()
    ]
    return {message["case"]: message["refusal"] for message in messages}


@pytest.mark.parametrize("case", EXPECTED)
def test_reason_and_variable_are_named(case, refusals):
    """The message says what was found and which variable puts it right."""
    for words in EXPECTED[case]:
        assert words in refusals[case], refusals[case]
