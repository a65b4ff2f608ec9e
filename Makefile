# `make demo` makes a sound; `make test` runs the tests but those that need other programs; `make hosts` runs these and prints
# what was proved in which host; `make model` trains the embedded model anew. Each makes its own .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/

# Of `make model`: folders of recordings (each with a credits.csv), instruments, the text encoder, and where to work.
RECORDINGS ?= ../shared/data
SOUNDFONTS ?= /usr/share/sounds/sf2/FluidR3_GM.sf2 /usr/share/sounds/sf2/MuseScore_General_Full.sf2
MINILM ?= minilm
WORK ?= .model
MINUTES ?= 180
SIZE ?= full

.PHONY: demo test hosts model

demo: $(VENV)/render
	$(RUN)athanor demo

test: $(VENV)/test
	$(RUN)python -m pytest -m "not hosts" --numprocesses logical --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

HOSTS_TABLE ?= $(VENV)/hosts.jsonl

hosts: $(VENV)/test
	: > $(HOSTS_TABLE)  # there, too, where nothing adds a row
	ATHANOR_HOSTS_TABLE=$(HOSTS_TABLE) $(RUN)python -m pytest -m hosts $(PYTEST_ARGS); status=$$?; \
	    $(RUN)python tests/hosts/table.py $(HOSTS_TABLE); exit $$status

model: $(VENV)/train
	$(RUN)python -m server.models.embedded.train whole $(RECORDINGS:%=--recordings %) $(SOUNDFONTS:%=--soundfont %) \
	    --minilm $(MINILM) --work $(WORK) --out $(WORK)/weights --minutes $(MINUTES) --size $(SIZE) --workers 2

$(VENV)/render $(VENV)/test $(VENV)/train: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Athanor needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(@F)]"
	touch $@
