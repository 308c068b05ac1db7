# `make setup` once, then whatever you like; every target does what it needs first.
VENV := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# How many tests at once: two on a small machine, where more only wait for each other.
JOBS ?= 2

# Which of Tempest's tests: smoke, compute, identity_rules (of its plugin), everything, or a regular
# expression.
TESTS ?= smoke

# Some machines forbid it; a program that compiles itself at each start is slow, and tests start many.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup check test demo bench screenshots conformance golden scaffold migration requirements clean

setup:
	@tools/setup.sh

# Everything that needs no machine of its own and no other program; before each commit.
check: setup
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/lint-imports --no-cache
	$(VENV)/mypy
	$(VENV)/pytest -n $(JOBS) --dist loadfile -m "not real and not walk"

# Everything, with real guests and networks where the machine allows; tells what was left out.
test:
	@tools/setup.sh test
	$(VENV)/pytest -n $(JOBS) --dist loadfile -m "not real" -rs
	$(VENV)/pytest -n $(JOBS) --dist loadfile -m real -rs

# A cloud with a guest to log in to; it stays up.
demo: setup
	$(SUDO) $(VENV)/cumulo demo

bench: setup
	$(VENV)/python -m bench

# Every page of the dashboard, in light and dark, wide and narrow, into build/screenshots.
screenshots:
	@tools/setup.sh test
	$(VENV)/python -m tests.dashboard.screenshots

# OpenStack's own tests, from an environment of their own: make conformance TESTS=compute
conformance: setup .tempest/bin/tempest
	$(VENV)/python -m tests.conformance $(TESTS)

.tempest/bin/tempest: tests/conformance/requirements.txt
	python3 -m venv .tempest
	.tempest/bin/pip install --quiet -r tests/conformance/requirements.txt
	touch $@

# Accept what the golden files' tests found changed; look at the difference before you commit it.
golden: setup
	GOLDEN=1 $(VENV)/pytest tests/test_golden.py
	git diff --stat tests/golden

# The skeleton of a new noun in each layer: make scaffold SERVICE=compute NOUN=server_tag
scaffold: setup
	$(VENV)/python -m tools.scaffold $(SERVICE) $(NOUN)

# The next step of the database's history, from the tables as they are: make migration WORDS="..."
# Before the first release: make migration WORDS=--initial
migration: setup
	$(VENV)/python -m tools.make_migration "$(WORDS)"

requirements:
	PATH="$(VENV):$$PATH" tools/requirements.sh

clean:
	rm -rf .venv .tempest build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
