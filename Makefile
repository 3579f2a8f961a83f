# Few targets, no logic: each names a command that can also be typed.
# Needs python3 (3.11 or newer), make and a package index.
PYTHON ?= python3
BIN := .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install
# Handed to pytest: make test ARGS="-k policy -x"
ARGS ?=
# A round of fuzz is about 107,000 events.
ROUNDS ?= 10

.PHONY: demo test verbs ray fuzz check lock stubs picture image image-test emulate up down pin-base fetch foreign interop push deploy redeploy retrain clean bench scale demo-lift prove-lift prove-uplift prove-training prove-whole-segment

demo: .venv/run.ready ## one real segment through the hook: who is kept, and how they really behaved
	$(BIN)/python examples/cdnow/demo.py --out out/demo

# Each processor runs whole files of tests. ARGS="-n 0" runs them in one process, as --pdb needs.
test: .venv/ready ## the tests; they need no container engine and no AWS account
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

verbs: .venv/verbs.ready ## into .venv, everything that the verbs of segment-scorer need

ray: .venv/ready requirements/ray.txt ## Ray into .venv, for run --engine ray and its tests
	$(PIP) --quiet --require-hashes -r requirements/ray.txt

fuzz: .venv/ready ## about a million events of arbitrary JSON through the handler (some twenty minutes)
	FUZZ_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/property/test_any_event_gets_a_reply_or_an_event_error.py --hypothesis-profile=fuzz $(ARGS)

check: .venv/ready .cache/cfn-lint/ready .cache/checkov/ready .cache/audit/ready ## format, lint, types, import rules, stale locks and stubs, the templates, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.locks --check
	$(BIN)/python -m tools.stubs --check
	$(BIN)/python -m tools.web_schema --check
	.cache/cfn-lint/bin/cfn-lint segment_scorer/deploy/*.yaml
	.cache/checkov/bin/checkov --config-file segment_scorer/deploy/.checkov.yaml
	$(BIN)/python -m tools.audit

lock: .venv/ready ## compile requirements/*.txt again from pyproject.toml
	$(BIN)/python -m tools.locks

stubs: .venv/ready ## generate the Python of protos/open_inference.proto again
	$(BIN)/python -m tools.stubs

picture: .venv/ready ## docs/report.png again, from a run of the demo (needs chromium)
	$(BIN)/python -m tools.picture

# TARGET (function, service, function-sidecar), FUNCTION_SET and ARCH choose the image, here and in
# emulate, push and redeploy. Give them to make or set them in the shell.
# image-test builds and tests all three targets of that set and architecture.
image: ## the container image, with docker or podman (TARGET, FUNCTION_SET, ARCH, ENGINE, BASE_IMAGE, CA_BUNDLE: docs/image.md)
	$(PYTHON) -m tools.image.build

image-test: .venv/ready .cache/image-tools/ready .cache/compose/ready .cache/sam/ready ## the tests of the built containers, under Lambda's limits
	$(PYTHON) -m tools.image.build --target function
	$(PYTHON) -m tools.image.build --target service
	$(PYTHON) -m tools.image.build --target function-sidecar
	$(BIN)/python -m pytest tests/image $(ARGS)

emulate: image ## the image under AWS's emulator: the example events, their replies and records (TARGET=service: scored by the service)
	$(PYTHON) -m tools.image.emulate

up: .cache/compose/ready ## function, scoring service and Prometheus with compose; one event, and who scored it (docs/image.md)
	$(PYTHON) -m tools.image.up

down: .cache/compose/ready ## end what make up has started
	$(PYTHON) -m tools.image.up --down

pin-base: ## the base image's digest, asked of its registry, into the Dockerfile
	$(PYTHON) -m tools.image.build --pin-base

# UV_OFFLINE=1 make check then takes the locks from uv's cache.
fetch: .venv/ready .cache/cfn-lint/ready .cache/checkov/ready .cache/kubernetes/ready .cache/compose/ready .cache/audit/ready .cache/sam/ready .cache/foreign/ready .cache/image-tools/ready ## everything that check, test, foreign and image-test take from the package index
	$(BIN)/python -m tools.locks --fetch
	$(BIN)/python -m tools.image.emulator --fetch

foreign: .cache/foreign/ready ## tests of models that somebody else trained (segment-scorer bundle), with their libraries
	.cache/foreign/bin/python -m pytest --confcutdir=tests/foreign tests/foreign $(ARGS)

interop: .venv/ready ## our client against foreign servers, and a foreign client against ours
	$(BIN)/python -m tests.interop.prepare
	$(BIN)/python -m pytest -m interop tests/interop $(ARGS)

bench: .venv/ready .cache/function/ready .cache/usual/ready ## measure beside the limit and the usual way; write docs/benchmarks.md (minutes)
	$(BIN)/python -m tests.interop.prepare mlserver kserve
	$(BIN)/python -m tools.benchmarks $(ARGS)

# ARGS=--measure measures the slopes first, after make ray.
scale: .venv/ready ## what 1, 10 and 100 million people take and cost, into docs/runner.md, from the committed figures and prices
	$(BIN)/python -m tools.scale $(ARGS)

# One environment, .venv: each set adds the packages that are missing. All sets hold the same versions.
.venv/run.ready: requirements/run.txt pyproject.toml
	@echo "Installing the packages of the demo into .venv: about 190 MB to download, 620 MB on disk"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r $<
	$(PIP) --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv/verbs.ready: requirements/verbs.txt .venv/run.ready
	@echo "Adding the packages of every verb to .venv: about 100 MB more to download, 870 MB on disk"
	$(PIP) --require-hashes -r $<
	touch $@

.venv/ready: requirements/all.txt pyproject.toml
	@echo "Installing the packages of tests and checks into .venv: about 390 MB to download, 1.4 GB on disk"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r $<
	$(PIP) --quiet --no-deps --no-build-isolation -e .
	touch .venv/run.ready .venv/verbs.ready $@

# A program with an environment of its own, from the requirement set of its name.
# --no-deps: the set is complete, and pip with hashes rejects the extras that the set lists as plain packages.
.cache/%/ready: requirements/%.txt
	$(PYTHON) -m venv .cache/$*
	.cache/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	touch $@

# Deployment: docs/deploy.md. PARAMETERS are those of segment_scorer/deploy/template.yaml, as Name=value.
push: .venv/ready ## the image built from this tree to REPOSITORY (TARGET, FUNCTION_SET, ARCH), under tags that never move; prints its digest
	$(BIN)/python -m tools.release.push --repository "$(REPOSITORY)"

deploy: .venv/ready .cache/sam/ready ## the stack STACK with IMAGE (REPOSITORY@sha256:DIGEST): forward, or back to an earlier one
	$(BIN)/python -m tools.release.stack --stack "$(STACK)" --image "$(IMAGE)" $(PARAMETERS:%=--parameter "%") $(ARGS)

redeploy: .venv/ready .cache/sam/ready ## retrain on ENDPOINTS and OUTCOMES behind the gate, then image, image test, push and deploy; ARGS=--dry-run shows it
	$(BIN)/python -m tools.release.redeploy --stack "$(STACK)" --repository "$(REPOSITORY)" \
	  $(if $(ENDPOINTS),--endpoints $(ENDPOINTS)) $(if $(OUTCOMES),--outcomes "$(OUTCOMES)") $(PARAMETERS:%=--parameter "%") $(ARGS)

retrain: .venv/ready ## train on ENDPOINTS and OUTCOMES behind the gate, write the shipped bundle, image, image test (docs/training.md)
	$(if $(and $(ENDPOINTS),$(OUTCOMES)),,$(error expected ENDPOINTS="file ..." and OUTCOMES=file, the training data: docs/training.md))
	$(BIN)/segment-scorer train --endpoints $(ENDPOINTS) --outcomes "$(OUTCOMES)" \
	  --out model/artifact --against model/artifact --reserve 0.2 $(ARGS)
	$(MAKE) image-test ARGS=

clean: ## remove everything that can be made again
	rm -rf .venv .cache build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

demo-lift: .venv/verbs.ready ## the whole circle on a real campaign: policy, run, outcomes, what the message changed
	$(BIN)/python -m examples.hillstrom.demo --out out/demo-lift

prove-lift: .venv/verbs.ready ## simulate 2,000 campaigns for each claim of lift; write docs/lift-simulations.json (minutes)
	$(BIN)/python -m tools.prove_lift $(ARGS)

# The libraries that ours is compared with run in .cache/uplift.
prove-uplift: .venv/ready .cache/uplift/ready ## simulate campaigns whose effect is known, compare with scikit-uplift and causalml; write docs/uplift.json (half an hour)
	$(BIN)/python -m tools.prove_uplift $(ARGS)

# ARGS="--people 2000000" makes fewer.
prove-whole-segment: .venv/verbs.ready ## ten million invented endpoints with --budget and --one-per, recounted; write docs/whole-segment.json (ten minutes on two idle cores)
	$(BIN)/python -m tools.prove_whole_segment $(ARGS)

prove-training: .venv/ready .cache/foreign/ready ## train against a hand-made pipeline and LightGBM, and its time; write docs/training-figures.json (minutes)
	$(BIN)/python -m tools.prove_training $(ARGS)
