# Everything a contributor types; `make` alone lists it.
# Once installed, no target but `lock` needs the network.

VENV  := .venv
TOOLS := .tools/bin
CPUS  ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo tools test slow test-chaos soak test-servers conformance bench bench-quick bench-resume bench-memory bench-plots lint format \
	lock clean image test-image test-kube chart-readme docs docs-reference prepared

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

install: $(VENV)/.installed ## Make .venv with the exact versions of requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "Installing into $(VENV), once; that takes a minute or more."
	@.ci/make-venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@# Where PYTHONDONTWRITEBYTECODE is set, every start would compile all of it.
	$(VENV)/bin/python -m compileall -q replicator
	@touch $@

demo: install ## Watch images move between two registries on this machine
	@$(VENV)/bin/replicate demo

tools: ## Install the servers and clients that the tests run against
	@.ci/install-tools $(TOOLS)

test: install tools ## Run the fast suite against real registries
	$(VENV)/bin/pytest -n $(CPUS) --dist worksteal -m "not slow and not servers and not image and not cluster"

slow: install tools ## Run the tests that take minutes
	$(VENV)/bin/pytest -m slow -o faulthandler_timeout=1800 --ignore tests/chaos

test-chaos: install tools ## Kill services at every step, and take away what they use (ten minutes and more)
	@.ci/install-packages faketime
	@# On a busy machine a test may well take longer than those of the fast suite may.
	$(VENV)/bin/pytest -m slow -s -o faulthandler_timeout=1800 tests/chaos

soak: install tools ## Let everything fail at random for long (MINUTES=30, SEED=n)
	$(VENV)/bin/python -m tests.chaos.soak $(or $(MINUTES),30) $(SEED)

test-servers: install tools ## Run the contract against every server, the slowly built as well
	@.ci/install-servers $(TOOLS)
	@$(VENV)/bin/python -m tests.support.pulp
	$(VENV)/bin/pytest tests/contract tests/e2e/test_unchanged.py --table

image: ## Build the container image into dist/image (STAND_IN=1 where no base image can be pulled)
	@.ci/make-image dist/image

test-image: install ## Build the image, and try it as a cluster runs it (as root, with runc)
	@.ci/make-image dist/image
	@.ci/install-packages runc umoci
	$(VENV)/bin/pytest -m image tests/image

test-kube: install tools ## Install the chart on a real Kubernetes API server (10 minutes of building, once)
	@.ci/install-cluster $(TOOLS)
	$(VENV)/bin/pytest -m cluster tests/cluster

chart-readme: install ## Write charts/replicator/README.md anew from values.yaml
	$(VENV)/bin/python charts/readme.py charts/replicator

screenshots: install tools ## Take a picture of each screen of the page, into docs/pictures
	$(VENV)/bin/python -m tests.page.pictures docs/pictures

conformance: install tools ## Run the OCI conformance suite against the embedded registry
	$(VENV)/bin/pytest tests/embedded/test_conformance.py

bench: install tools ## Measure replicate and its rivals (an hour; SERVER=FILE for another registry)
	$(VENV)/bin/python -m compileall -q replicator
	$(VENV)/bin/python -m benchmarks.peers $(if $(SERVER),--server $(SERVER))

bench-quick: install tools ## The same in five minutes: fewer scenarios, two rounds
	$(VENV)/bin/python -m compileall -q replicator
	$(VENV)/bin/python -m benchmarks.peers --quick $(if $(SERVER),--server $(SERVER)) \
		--tools ours,regsync,crane,skopeo,oras

bench-resume: install tools ## Measure what is sent again of a blob whose run was killed
	$(VENV)/bin/python -m benchmarks.resume

bench-engine: install ## Measure how fast items are drained and due times decided on PostgreSQL
	$(VENV)/bin/python -m benchmarks.engine

bench-page: install ## Measure the overview of a thousand rules
	$(VENV)/bin/python -m benchmarks.page

bench-endurance: install ## Watch the memory of a service of a thousand rules (an hour, or MINUTES=n)
	$(VENV)/bin/python -m benchmarks.endurance --minutes $(or $(MINUTES),60)

bench-memory: install tools ## Measure the memory of large copies
	$(VENV)/bin/python -m benchmarks.memory

bench-plots: install ## Measure how time and memory grow, and draw docs/pictures (a quarter of an hour)
	$(VENV)/bin/python -m compileall -q replicator
	$(VENV)/bin/python -m benchmarks.growth

lint: install ## Check format, style, types and layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: install ## Build the documentation into dist/docs; every warning is a failure
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

docs-reference: install ## Write docs/cli.md and docs/configuration.md anew
	$(VENV)/bin/python -m docs.generate

prepared: install ## Compile the prepared statements for SQLite anew, after a change of their sources or of tables
	$(VENV)/bin/python -m replicator.store.prepared.preparing
	$(VENV)/bin/ruff format --quiet replicator/store/prepared

format: install ## Format the code and mend what can be mended by itself
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

lock: install ## Renew requirements.lock from pyproject.toml (UPGRADE=--upgrade for newer versions)
	CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/pip-compile --quiet $(UPGRADE) \
		--generate-hashes --allow-unsafe --strip-extras --all-extras \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file requirements.lock pyproject.toml
	@# What the image has of it: all that runs, nothing that tests or documents.
	CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/pip-compile --quiet \
		--generate-hashes --allow-unsafe --strip-extras --extra aws,azure,gcp,oidc,otel \
		--build-deps-for wheel --constraint requirements.lock \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file requirements-image.lock pyproject.toml

clean: ## Remove what the other targets made, the test tools excepted
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
