# make demo   sets up, then trains on real digits and shows pictures
# make test   sets up, then lints and tests on all three backends

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BACKENDS ?= tensorflow jax torch
# Processes of the tests. They trace and compile more than they compute.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) -m "not slow" --durations=10
# In two halves: TensorFlow does not give back the memory of its graphs.
NETWORKS := tests/backends tests/convert tests/layers tests/models
# Pinned: a range would pull whatever is newest, with gigabytes of CUDA.
TORCH ?= torch==2.13.0

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint format clean

demo: $(VENV)/.demo
	$(BIN)/python keras_sagan/quiet.py examples/digits.py

test: $(VENV)/.test lint
	@for backend in $(BACKENDS); do \
	    echo "== $$backend"; \
	    export KERAS_BACKEND=$$backend OMP_NUM_THREADS=1; \
	    $(PYTEST) $(NETWORKS) || exit 1; \
	    $(PYTEST) $(addprefix --ignore=,$(NETWORKS)) || exit 1; \
	done

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) outputs build *.egg-info .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg | $(BIN)/python
	$(BIN)/pip install -q -e '.[tensorflow,data,plots]'
	touch $@

$(VENV)/.test: setup.cfg | $(BIN)/python
	$(BIN)/pip install -q $(TORCH)
	$(BIN)/pip install -q -e '.[tensorflow,jax,torch,data,tfds,keras-cv,tensorboard,convert,export,hub,app,plots,test]'
	touch $@
