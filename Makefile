# `make demo` makes a sound; `make test` runs the tests. Each makes its own .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/

.PHONY: demo test

demo: $(VENV)/render
	$(RUN)athanor demo

test: $(VENV)/test
	$(RUN)python -m pytest $(PYTEST_ARGS)

$(VENV)/render $(VENV)/test: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Athanor needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(@F)]"
	touch $@
