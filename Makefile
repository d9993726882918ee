# Two commands: `make demo` and `make test`. Each sets up what it needs, and says what it does.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -E)
PLAYBOOK := $(BIN)/ansible-playbook -i inventories/lab

# ENGINE of the demo: incus, on real nodes; or proxmox, on a simulation of a cluster's API, which wants no root.
ENGINE ?= incus

# LAB names the lab, so that several stand side by side; LAB_NODES is how many nodes it has.
LAB ?= lab
LAB_NODES ?= 3
export SWITCHYARD_LAB := $(LAB)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- what everything needs

COLLECTION := .collections/ansible_collections/switchyard/fleet

$(COLLECTION):
	@mkdir -p $(@D)
	@ln -sfn ../../.. $@

$(VENV)/.run: tests/requirements/run.txt
	@tests/tools/venv.sh $(VENV) $(PYTHON) $<
	@touch $@

$(VENV)/.test: tests/requirements/test.txt $(VENV)/.run
	@tests/tools/venv.sh $(VENV) $(PYTHON) $<
	@touch $@

# Solvers and plots that only the benchmarks need: no test may come to depend on them.
$(VENV)/.bench: tests/requirements/bench.txt $(VENV)/.run
	@tests/tools/venv.sh $(VENV) $(PYTHON) $<
	@touch $@

# What builds the documentation site.
$(VENV)/.docs: tests/requirements/docs.txt $(VENV)/.test
	@tests/tools/venv.sh $(VENV) $(PYTHON) $<
	@touch $@

.PHONY: setup
setup: $(VENV)/.run $(COLLECTION) ## what the playbooks need, in .venv

# ---------------------------------------------------------------- the demo

.PHONY: demo
demo: setup ## from nothing to a running fleet on this machine; ENGINE=proxmox: on a simulated cluster
ifeq ($(ENGINE),proxmox)
	@BIN=$(BIN) tests/tools/demo_proxmox.sh
else
	@BIN=$(BIN) SUDO="$(SUDO)" LAB_NODES=$(LAB_NODES) tests/tools/demo.sh
endif

.PHONY: demo-down
demo-down: setup ## the demo's fleet, nodes and everything it brought, gone; ENGINE=proxmox: the simulation
ifeq ($(ENGINE),proxmox)
	@BIN=$(BIN) tests/tools/demo_proxmox.sh down
else
	$(SUDO) $(PLAYBOOK) switchyard.fleet.lab -e lab_state=absent
endif

.PHONY: bench
bench: $(VENV)/.test $(VENV)/.bench $(COLLECTION) ## NAME=apply, failover, planner or proxmox: a table for people, and a line of JSON
	@$(SUDO) $(BIN)/python tests/benchmarks/$(NAME).py

.PHONY: docs
docs: $(VENV)/.docs $(COLLECTION) ## the documentation site, in docs/build/html
	@PATH=$(BIN):$$PATH tests/tools/docs.sh

# ---------------------------------------------------------------- the tests

.PHONY: test
test: lint unit double sanity lab ## everything below, one after the other

.PHONY: lint
lint: $(VENV)/.test $(COLLECTION) ## ruff, mypy, ansible-lint, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy plugins/module_utils/fleet
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.collections $(BIN)/ansible-lint --offline --profile production
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/.collections PATH=$(BIN):$$PATH \
	  $(BIN)/antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .

.PHONY: unit
unit: $(VENV)/.test $(COLLECTION) ## pure logic, no nodes
	$(BIN)/pytest -n auto tests/unit

.PHONY: double
double: $(VENV)/.test $(COLLECTION) ## engine contract and playbooks, on a simulated Proxmox VE cluster; no root
	$(BIN)/pytest -n auto -m "not lab" tests/engine tests/proxmox

.PHONY: sanity
sanity: $(VENV)/.test ## ansible-test sanity
	@BIN=$(BIN) tests/tools/sanity.sh

.PHONY: lab
lab: $(VENV)/.test $(COLLECTION) ## engine contract, playbooks and failover on real nodes, but for what takes long
	@$(SUDO) env BIN=$(BIN) PATH=$(BIN):$$PATH tests/tools/labs.sh

.PHONY: long
long: $(VENV)/.test $(COLLECTION) ## what make test leaves out on real nodes: every disaster, and all of each role
	@$(SUDO) env BIN=$(BIN) PATH=$(BIN):$$PATH tests/tools/long.sh

.PHONY: vm
vm: $(VENV)/.test $(COLLECTION) ## servers in step (DRBD), on machines with a kernel of their own; make test leaves it out
	@$(SUDO) env BIN=$(BIN) tests/tools/vm.sh

.PHONY: clean
clean: ## what make built in this folder (not the demo's nodes: demo-down)
	rm -rf $(VENV) .collections .cache .mypy_cache .pytest_cache .ruff_cache
