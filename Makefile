# `make` alone prints the targets. Every target sets up .venv first if needed.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
# make setup EXTRAS='log prepare' installs the core and these extras; EXTRAS=none only the core; no EXTRAS everything.
# Extras add to what is already installed: to have less, run make clean first.
EXTRAS ?=
ALL := .venv/.installed
CHOSEN := $(addprefix .venv/.extra-,$(EXTRAS))
# What the commands need: the extras of this call, else those of earlier calls, else everything.
READY := $(or $(CHOSEN),$(wildcard $(ALL) .venv/.extra-*),$(ALL))
DEMO := outputs/demo
# What make demo measures beside the model that it has trained.
RELEASED := weights/celeba16x_light
# make data-folder ROOT=PICTURES OUT=data/mine LANDMARKS=onnx ARGS='landmarks.weights=DIR workers=2'
ROOT ?=
OUT ?=
ARGS ?=
LANDMARKS ?= auto
# make train-celeba EXPERIMENT=celeba16x_light ARGS='loss.feature.weight=0 trainer.max_epochs=20'
EXPERIMENT ?= celeba16x
TRAIN ?= data/celeba/train
VAL ?= data/celeba/val
# make sweep SWEEP=seeds EXPERIMENT=demo TRAIN=data/synthetic/train VAL=data/synthetic/val
SWEEP ?= optuna
# Recipes read these from the environment ("$$ROOT"), so that a path may hold quotes, blanks, $ and #.
PATHS := ROOT OUT TRAIN VAL DEMO
$(foreach name,$(PATHS),$(eval override $(name) := $$(value $(name))))
export $(PATHS)

.DEFAULT_GOAL := help
.PHONY: help setup doctor demo test fuzz check format lock bench clean data-celeba data-synthetic data-folder
.PHONY: train-celeba sweep ablations

help: ## print this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(or $(CHOSEN),$(ALL)) ## install from requirements.lock into .venv: everything, or EXTRAS='log prepare' (none: the core)

$(BIN)/uv: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 setup" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@sed -n "/^uv==/,/[^\\\\]$$/p" requirements.lock > .venv/uv.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	@touch $@

$(ALL): requirements.lock | $(BIN)/uv
	@# uv is faster; pip takes over if uv cannot reach the index that the machine's pip is set up for.
	$(BIN)/uv pip install --python $(RUN) --quiet --require-hashes --no-deps -r requirements.lock || \
		$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@rm -f .venv/.extra-*
	@touch $@

# The lock, as a constraint, fixes the versions; uv verifies its hashes.
.venv/.extra-%: requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --python $(RUN) --quiet -r pyproject.toml$(if $(filter-out none,$*), --extra $*) --constraint requirements.lock
	@touch $@

doctor: $(READY) ## report what is installed, found and missing here, each problem with its fix
	$(RUN) -m src.doctor

demo: $(READY) ## draw faces, train on the CPU, evaluate beside the released model; table and picture in outputs/demo; ARGS=
	$(RUN) -m src.train experiment=demo trainer=cpu run_dir="$$DEMO" $(ARGS)
	$(RUN) -m src.evaluate checkpoint="$$DEMO/checkpoints/last.ckpt" method='[bicubic,bicubic_aligned,$(RELEASED)]' data.test='[data/synthetic/val]' protocol=published out="$$DEMO/evaluation_published"
	$(RUN) -m src.evaluate checkpoint="$$DEMO/checkpoints/last.ckpt" method='[bicubic,bicubic_aligned,$(RELEASED)]' data.test='[data/synthetic/val]' protocol=context out="$$DEMO/evaluation"

data-celeba: $(READY) ## download CelebA to ROOT (data/raw), prepare it in OUT (data/celeba); LANDMARKS=, ARGS=
	$(RUN) -m src.source.celeba.download "$${ROOT:-data/raw}"
	$(RUN) -m src.prepare source=celeba source.root="$${ROOT:-data/raw}" landmarks=$(LANDMARKS) out="$${OUT:-data/celeba}" $(ARGS)

data-synthetic: $(READY) ## draw 1,600 training and 160 validation faces in OUT (data/synthetic); ARGS=
	$(RUN) -m src.prepare source=synthetic source.train=1600 source.val=160 out="$${OUT:-data/synthetic}" $(ARGS)

data-folder: $(READY) ## find the faces in the pictures of ROOT=, prepare them in OUT=; LANDMARKS=, ARGS=
	@test -n "$$ROOT" && test -n "$$OUT" || { echo 'error: make data-folder ROOT=PICTURES OUT=data/NAME (LANDMARKS=onnx ARGS=landmarks.weights=DIR)' >&2; exit 2; }
	$(RUN) -m src.prepare source=folder source.root="$$ROOT" landmarks=$(LANDMARKS) out="$$OUT" $(ARGS)

train-celeba: $(READY) ## train EXPERIMENT (celeba16x) on the stores TRAIN, VAL (data/celeba/...); ARGS=
	$(RUN) -m src.train experiment=$(EXPERIMENT) data.train="[$$TRAIN]" data.val="[$$VAL]" $(ARGS)

sweep: $(READY) ## train EXPERIMENT many times and write a table: SWEEP=optuna, seeds, or none with ARGS='seed=1,2 optimizer.lr=1e-3,5e-4'
	$(RUN) -m src.train -m $(if $(filter-out none,$(SWEEP)),sweep=$(SWEEP)) experiment=$(EXPERIMENT) \
		data.train="[$$TRAIN]" data.val="[$$VAL]" $(ARGS)

ablations: $(READY) ## train every ablation of celeba16x on the stores TRAIN, VAL and write a table; ARGS=
	$(RUN) -m src.train -m 'experiment=glob(ablation/*)' data.train="[$$TRAIN]" data.val="[$$VAL]" $(ARGS)

test: $(ALL) ## run the tests, two at a time
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2 --dist worksteal

fuzz: $(ALL) ## read damaged and strange files of every kind, 1,000 of each, for about 10 minutes
	OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n 2 --dist worksteal --hypothesis-profile=slow tests/fuzz

check: $(ALL) ## check lint, formatting, types and every configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(RUN) -m src.check

format: $(ALL) ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: $(ALL) ## resolve requirements.lock again with all extras: newest versions, hashes, no index address
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --upgrade --generate-hashes \
		--no-emit-index-url --no-emit-find-links --quiet --custom-compile-command "make lock" -o requirements.lock

bench: $(READY) ## measure speed and memory; the output names the machine
	$(RUN) -m benchmarks

clean: ## remove caches and .venv; stores and runs stay
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
