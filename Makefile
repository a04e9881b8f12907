# make demo          sets up, draws letters with the weights of the package, then
#                    trains on real digits and shows pictures
# make test          sets up, then lints and tests on all three backends
# make test-lowest   the core of the tests, with the lowest versions allowed
# make test-colab    the tests and the notebook, with what Colab has installed
#                    (PYTHON=python3.13)
# make test-nightly  the core of the tests, with Keras' nightly build
# make docs          builds the site from docs/ into build/docs
# make examples      runs the notebooks and the keras.io example on all three
#                    backends, with few steps
# make packages      builds the wheel and the sdist, checks and tries them

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BACKENDS ?= tensorflow jax torch
# Processes of the tests. They trace and compile more than they compute.
JOBS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) -m "not slow" --durations=10
# In three parts: TensorFlow does not give back the memory of its graphs.
LAYERS := tests/backends tests/convert tests/layers
MODELS := tests/models
FIRST ?= $(LAYERS)
SECOND ?= $(MODELS)
THIRD ?= tests $(addprefix --ignore=,$(LAYERS) $(MODELS))
# What other versions are most likely to break.
CORE := tests/layers tests/backends tests/test_losses.py tests/hub \
    tests/models/test_sagan.py tests/models/test_golden_step.py \
    tests/training/test_resume.py tests/export/test_any_generator.py
# Pinned: a range would pull whatever is newest, with gigabytes of CUDA.
TORCH ?= torch==2.13.0
EXTRAS := tensorflow,jax,torch,data,tfds,keras-cv,tensorboard,convert,export,hub,app,plots
COLAB := tests/requirements/colab.txt
# Versions to keep to: the path of a file, or nothing.
CONSTRAINTS ?=
PIP := $(BIN)/pip install -q $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Python compiles what it imports, which is a small part of these packages.
export PIP_NO_COMPILE ?= 1

.PHONY: demo test test-lowest test-colab test-nightly docs examples packages \
    notebook lint format clean

demo: $(VENV)/.demo
	$(BIN)/keras-sagan sample letters_32 --classes=S,A,G,A,N --share_latents \
	    --out=outputs/sagan.png
	$(BIN)/python keras_sagan/quiet.py examples/digits.py

test: $(VENV)/.test lint
	@failed=0; for backend in $(BACKENDS); do \
	    echo "== $$backend"; \
	    export KERAS_BACKEND=$$backend OMP_NUM_THREADS=1 \
	        JAX_COMPILATION_CACHE_DIR=$(abspath $(VENV))/jax-cache; \
	    $(foreach part,FIRST SECOND THIRD,$(if \
	        $(strip $($(part))),$(PYTEST) $($(part)) || failed=1;)) \
	done; exit $$failed

test-lowest:
	$(MAKE) test VENV=.venv-lowest FIRST="$(CORE)" SECOND= THIRD= \
	    CONSTRAINTS=tests/requirements/lowest.txt

test-colab: notebook
	$(MAKE) test VENV=.venv-colab TORCH=torch CONSTRAINTS=$(COLAB)

# It may fail: then keras_sagan has until Keras' release to follow.
test-nightly: .venv-nightly/.nightly
	$(MAKE) test VENV=.venv-nightly FIRST="$(CORE) tests/distribution" \
	    SECOND= THIRD=

.venv-nightly/.nightly: setup.cfg
	$(MAKE) .venv-nightly/.test VENV=.venv-nightly
	.venv-nightly/bin/pip uninstall -q -y keras
	.venv-nightly/bin/pip install -q --no-deps --force-reinstall keras-nightly
	touch $@

# Runs the notebook with Colab's versions, and keeps the executed copy.
notebook: .venv-notebook/.notebook
	.venv-notebook/bin/python tests/notebooks.py docs/notebooks outputs

.venv-notebook/.notebook: setup.cfg $(COLAB)
	$(PYTHON) -m venv .venv-notebook
	.venv-notebook/bin/pip install -q -c $(COLAB) nbclient ipykernel \
	    -e '.[tensorflow,data,plots]'
	touch $@

# PyTorch runs the code of the pages: it has nothing to compile first.
docs: $(VENV)/.docs
	COLUMNS=80 KERAS_BACKEND=torch \
	    $(BIN)/python -m sphinx -q -W --keep-going docs build/docs
	@echo "Open build/docs/index.html"

examples: $(VENV)/.docs
	@failed=0; for backend in $(BACKENDS); do \
	    echo "== $$backend"; export KERAS_BACKEND=$$backend; \
	    $(BIN)/python tests/notebooks.py docs/notebooks \
	        outputs/notebooks/$$backend || failed=1; \
	    (mkdir -p outputs/keras_io && cd outputs/keras_io && \
	        $(abspath $(BIN))/python ../../examples/keras_io/sagan.py) || failed=1; \
	done; exit $$failed

# How long the code of the pages and the examples trains.
docs examples: export NOTEBOOK_STEPS ?= 50
examples: export STEPS ?= 20

packages: $(BIN)/python
	$(PIP) build twine
	$(BIN)/python tests/packages.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-* outputs build dist *.egg-info .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg | $(BIN)/python
	$(PIP) -e '.[tensorflow,data,plots]'
	touch $@

$(VENV)/.test: setup.cfg | $(BIN)/python
	$(PIP) $(TORCH)
	$(PIP) -e '.[$(EXTRAS),test]'
	touch $@

$(VENV)/.docs: $(VENV)/.test
	$(PIP) -e '.[docs]'
	touch $@
