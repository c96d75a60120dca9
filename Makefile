# Each target forwards to a script of the same name: people and CI call both.
# ARGS is handed on: make up ARGS="-e lab_name=second -e lab_subnet=172.28.20.0/24"

.DEFAULT_GOAL := help
TARGETS := up down clean bundle local wordcount test test-full lint unit conformance integration molecule bench drf

.PHONY: help venv $(TARGETS)

help: ## Say what there is
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

venv:
	@scripts/venv

$(TARGETS):
	@scripts/$@ $(ARGS)

#: make up           raise the lab in containers and count the words of a book on it
#: make bundle       all that make up fetches in one archive; elsewhere: make up BUNDLE=FILE
#: make down         remove its nodes and network; image and wheels stay
#: make clean        remove image, wheels and state too; the virtual environment stays
#: make local        the same count without Docker, root or ZooKeeper
#: make wordcount    count again on the running lab
#: make test         everything that CI runs (lint unit conformance integration molecule up)
#: make test-full    what takes longer as well
#: make lint         ruff, mypy, yamllint, ansible-lint, shellcheck
#: make unit         pytest over engine, framework, compatibility package, repository
#: make conformance  the suite against MESOS_MASTER and MESOS_AGENT, else against Pocket itself
#: make integration  several parts together: real processes, real ZooKeeper
#: make molecule     molecule test
#: make bench        benchmarks
#: make drf          two frameworks with the demands of the DRF paper share the lab, live; a picture
