# `make` alone prints the verbs. PYTHON names the interpreter that makes .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV = $(firstword $(wildcard $(BIN)/uv) $(shell command -v uv))
COMPILE = $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-header

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check fmt openapi lock distribution

help: ## Print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## Create .venv and install what the hub needs

setup-dev: $(VENV)/.stamp-dev ## The same, and what tests and checks need

run: setup ## Start the hub in the foreground; Ctrl-C stops it
	@exec $(BIN)/python manage.py serve

test: setup-dev ## Run the tests; T=tests/unit/x runs only that path
	@exec $(BIN)/python scripts/test $(T)

check: setup-dev ## Formatting, lint, types, templates, architecture, migrations, API description
	@exec scripts/check

fmt: setup-dev ## Format Python and templates, fix what lint can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	find . -name '*.html' -path '*/templates/*' -not -path './$(VENV)/*' -exec $(BIN)/djade {} +

openapi: setup-dev ## Write docs/openapi.yaml anew
	$(BIN)/python manage.py spectacular --file docs/openapi.yaml

distribution: setup ## Write what another registry needs to accept our tokens; SERVICE=its name
	@exec $(BIN)/python manage.py registry_config $(if $(SERVICE),--service '$(SERVICE)')

lock: setup-dev ## Resolve requirements*.in into requirements*.txt with hashes
	@test -n "$(UV)" || { echo "uv is needed: $(BIN)/pip install uv"; exit 1; }
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) --output-file requirements-ldap.txt requirements-ldap.in

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Making $(VENV) failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.stamp: requirements.txt | $(BIN)/pip
	@echo "Installing requirements into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.txt $(VENV)/.stamp
	@echo "Installing development requirements into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
