# Few targets, no logic: each names a command that can also be typed. Needs python3 (3.11+), make and a package index.
PYTHON ?= python3
BIN := .venv/bin
# A make target that runs tests may take more of them or fewer: make test ARGS="-k policy -x"
ARGS ?=

.PHONY: demo test emulate check lock stubs interop clean

demo: .venv/ready ## one real segment through the hook: who was kept, who was not, and how they really behaved
	$(BIN)/python examples/cdnow/demo.py --out out/demo

test: .venv/ready ## the tests (none needs a container engine or an AWS account)
	$(BIN)/python -m pytest $(ARGS)

emulate: .venv/ready ## the hook in AWS's runtime interface emulator until Ctrl-C, for segment-scorer run --hook http://127.0.0.1:9000
	$(BIN)/python -m tests.emulator $(ARGS)

check: .venv/ready .cache/cfn-lint/ready .cache/audit/ready ## format, lint, types, import rules, stale locks and stubs, the template, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python requirements/compile.py --check
	$(BIN)/python -m protos.generate --check
	.cache/cfn-lint/bin/cfn-lint deploy/template.yaml
	$(BIN)/python requirements/audit.py

lock: .venv/ready ## compile requirements/*.txt again from pyproject.toml
	$(BIN)/python requirements/compile.py

stubs: .venv/ready ## make the Python of protos/open_inference.proto again
	$(BIN)/python -m protos.generate

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

# Deployment: docs/deploy.md. PARAMETERS are those of deploy/template.yaml, as Name=value.
push: .venv/ready ## the built image to REPOSITORY, under tags that are never moved; prints its digest
	$(BIN)/python -m deploy.push --repository "$(REPOSITORY)"

deploy: .venv/ready .cache/sam/ready ## the stack STACK with IMAGE (REPOSITORY@sha256:DIGEST): forward, or back to an earlier one
	$(BIN)/python -m deploy.stack --stack "$(STACK)" --image "$(IMAGE)" $(PARAMETERS:%=--parameter "%") $(ARGS)

redeploy: .venv/ready .cache/sam/ready ## retrain on ENDPOINTS and OUTCOMES behind the gate, image, image test, push, deploy by digest; ARGS=--dry-run shows it
	$(BIN)/python -m deploy.redeploy --stack "$(STACK)" --repository "$(REPOSITORY)" \
	  $(if $(ENDPOINTS),--endpoints $(ENDPOINTS)) $(if $(OUTCOMES),--outcomes "$(OUTCOMES)") $(PARAMETERS:%=--parameter "%") $(ARGS)

clean: ## everything that can be made again
	rm -rf .venv .cache build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
