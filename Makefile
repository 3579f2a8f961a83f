# Few targets, no logic: each names a command that can also be typed. Needs python3 (3.11+), make and a package index.
PYTHON ?= python3
BIN := .venv/bin
# A make target that runs tests may take more of them or fewer: make test ARGS="-k policy -x"
ARGS ?=
# Each round of fuzz is about 107,000 events.
ROUNDS ?= 10

.PHONY: demo test ray fuzz check lock stubs image image-test emulate pin-base fetch interop push deploy redeploy retrain clean bench demo-lift prove-lift

demo: .venv/ready ## one real segment through the hook: who was kept, who was not, and how they really behaved
	$(BIN)/python examples/cdnow/demo.py --out out/demo

test: .venv/ready ## the tests (none needs a container engine or an AWS account)
	$(BIN)/python -m pytest $(ARGS)

ray: .venv/ready requirements/ray.txt ## Ray beside everything else in .venv, for run --engine ray and its tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ray.txt

fuzz: .venv/ready ## about a million events of arbitrary JSON through the handler (some twenty minutes)
	FUZZ_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/property/test_any_event_gets_a_reply_or_an_event_error.py --hypothesis-profile=fuzz $(ARGS)

check: .venv/ready .cache/cfn-lint/ready .cache/audit/ready ## format, lint, types, import rules, stale locks and stubs, the template, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.locks --check
	$(BIN)/python -m tools.stubs --check
	.cache/cfn-lint/bin/cfn-lint segment_scorer/deploy/template.yaml
	$(BIN)/python -m tools.audit

lock: .venv/ready ## compile requirements/*.txt again from pyproject.toml
	$(BIN)/python -m tools.locks

stubs: .venv/ready ## make the Python of protos/open_inference.proto again
	$(BIN)/python -m tools.stubs

# Which image is meant, here and in emulate, push and redeploy: TARGET (function, service, function-sidecar), FUNCTION_SET and ARCH, given
# to make or to the shell. image-test builds and tests all three targets of that set and architecture.
image: ## the container image, with docker or podman (TARGET, FUNCTION_SET, ARCH, ENGINE, BASE_IMAGE, CA_BUNDLE: docs/image.md)
	$(PYTHON) -m tools.image.build

image-test: .venv/ready .cache/image-tools/ready ## the tests of the built containers, under Lambda's limits
	$(PYTHON) -m tools.image.build --target function
	$(PYTHON) -m tools.image.build --target service
	$(PYTHON) -m tools.image.build --target function-sidecar
	$(BIN)/python -m pytest tests/image $(ARGS)

emulate: .venv/ready image ## the image under AWS's emulator: the example events and their replies
	$(BIN)/python -m tools.image.emulate

pin-base: ## write the base's digest, asked of its registry, into the Dockerfile
	$(PYTHON) -m tools.image.build --pin-base

# UV_OFFLINE=1 make check then takes the locks from uv's cache.
fetch: .venv/ready .cache/cfn-lint/ready .cache/audit/ready .cache/sam/ready .cache/image-tools/ready ## what check, test and image-test take from the package index, so that they need it no more
	$(BIN)/python -m tools.locks --fetch
	$(BIN)/python -m tools.image.emulator --fetch

interop: .venv/ready ## our client against foreign servers and a foreign client against ours, each in its own environment
	$(BIN)/python -m tests.interop.prepare
	$(BIN)/python -m pytest -m interop tests/interop $(ARGS)

bench: .venv/ready .cache/function/ready .cache/usual/ready ## figures side by side with the limit and the usual way, and docs/benchmarks.md from them (minutes)
	$(BIN)/python -m tests.interop.prepare mlserver kserve
	$(BIN)/python -m tools.benchmarks $(ARGS)

.venv/ready: requirements/all.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# A program with an environment of its own, from the requirement set of its name (--no-deps: the set is whole, and pip in hash mode
# stumbles over extras, which the set names as plain packages).
.cache/%/ready: requirements/%.txt
	$(PYTHON) -m venv .cache/$*
	.cache/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	touch $@

# Deployment: docs/deploy.md. PARAMETERS are those of segment_scorer/deploy/template.yaml, as Name=value.
push: .venv/ready ## the image built from this tree to REPOSITORY (TARGET, FUNCTION_SET, ARCH), under tags that are never moved; prints its digest
	$(BIN)/python -m tools.release.push --repository "$(REPOSITORY)"

deploy: .venv/ready .cache/sam/ready ## the stack STACK with IMAGE (REPOSITORY@sha256:DIGEST): forward, or back to an earlier one
	$(BIN)/python -m tools.release.stack --stack "$(STACK)" --image "$(IMAGE)" $(PARAMETERS:%=--parameter "%") $(ARGS)

redeploy: .venv/ready .cache/sam/ready ## retrain on ENDPOINTS and OUTCOMES behind the gate, image, image test, push, deploy by digest; ARGS=--dry-run shows it
	$(BIN)/python -m tools.release.redeploy --stack "$(STACK)" --repository "$(REPOSITORY)" \
	  $(if $(ENDPOINTS),--endpoints $(ENDPOINTS)) $(if $(OUTCOMES),--outcomes "$(OUTCOMES)") $(PARAMETERS:%=--parameter "%") $(ARGS)

retrain: .venv/ready ## train on ENDPOINTS and OUTCOMES behind the gate, write the bundle that ships, image, image test (docs/training.md)
	$(if $(and $(ENDPOINTS),$(OUTCOMES)),,$(error expected ENDPOINTS="file ..." and OUTCOMES=file, what to train on: docs/training.md))
	$(BIN)/segment-scorer train --endpoints $(ENDPOINTS) --outcomes "$(OUTCOMES)" \
	  --out model/artifact --against model/artifact --reserve 0.2 $(ARGS)
	$(MAKE) image-test ARGS=

clean: ## everything that can be made again
	rm -rf .venv .cache build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

demo-lift: .venv/ready ## the whole circle on a real campaign: policy, run with a control group, outcomes, what the message changed
	$(BIN)/python -m examples.hillstrom.demo --out out/demo-lift

prove-lift: .venv/ready ## 2,000 campaigns simulated for each claim of lift, and docs/lift-simulations.json from them (minutes)
	$(BIN)/python -m tools.prove_lift $(ARGS)
