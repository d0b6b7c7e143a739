# Every target sets up what it needs in .venv; nothing is installed outside this folder.
PYTHON ?= $(shell for python in python3 python3.12 python3.11; do \
	$$python -c "$(PYTHON_FITS)" 2>/dev/null && { echo $$python; break; }; done)
PHOTO ?=
ONCE ?=
GPU ?=
ENGINE ?= docker
GATEWAY_BASE ?= $(shell sed -n 's/^ARG BASE=//p' Dockerfile.gateway)
TRITON_BASE ?= $(shell sed -n 's/^ARG BASE=//p' Dockerfile.triton)
BUILD ?=
SBOM ?= build/sbom
BENCH ?=
SCENARIO ?= steady
SECONDS ?=
PROCESSES ?=
WEB ?=
MINUTES ?= 30
REPOSITORY ?=
SITE ?= build/site
DATA ?= ../shared/data

BIN := .venv/bin
SHIPPED := model_repository/classifier/1
PIP := -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes
# Triton's Python stub needs NumPy 1.26, which has no wheels for later ones.
PYTHON_FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

.PHONY: demo help test fuzz check format typescript preprocess-copy train bench bench-gpu scale overhead loadtest soak images sbom monitoring cluster compose-secrets docs clean
.DEFAULT_GOAL := demo

demo: .venv/local  ## diagnose PHOTO (or a drawn sample), then serve until Ctrl-C; ONCE=1 stops instead
	@$(BIN)/frond demo $(if $(PHOTO),"$(PHOTO)") $(if $(ONCE),--once)

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 17

test: .venv/test  ## every test that this machine can run, in two processes; it says what it leaves out
	@$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder

fuzz: .venv/test  ## ten thousand requests drawn from the OpenAPI document, others each time
	@FROND_FUZZ_REQUESTS=10000 FROND_FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest -q -s tests/contract/test_schemathesis.py

check: .venv/test  ## what a reviewer would otherwise have to say
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=backends/onnxruntime $(BIN)/mypy backends/onnxruntime
	@MYPYPATH=model_repository/diagnose/1 $(BIN)/mypy model_repository/diagnose/1/*.py
	@MYPYPATH=loadtest/peers:loadtest/peers/triton/photo/1 $(BIN)/mypy loadtest/peers/*.py loadtest/peers/triton/photo/1/*.py

format: .venv/test  ## what a program can mend of it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

typescript: .venv/test client/typescript/node_modules  ## the contract's types, client/typescript/frond.ts; they must compile
	@$(BIN)/python -m client.typescript.generate
	@cd client/typescript && node_modules/.bin/tsc --noEmit

preprocess-copy:  ## the client's own copy of preprocess/, after a change there (decision 0016)
	@for module in preprocess/*.py; do \
		sed 's/^\( *from \)preprocess\b/\1frond._preprocess/' $$module > client/src/frond/_preprocess/$${module##*/}; done

train: .venv-training/ready .venv/local  ## the shipped model again, from DATA; about 40 minutes on two idle cores
	@.venv-training/bin/python -m training.train --data "$(DATA)/plantvillage" --out build/classifier.pt
	@rm -rf build/release && cp -R $(SHIPPED) build/release
	@.venv-training/bin/python -m training.export --checkpoint build/classifier.pt --release build/release
	@$(BIN)/python -m training.calibrate --release build/release \
		--data "$(DATA)/plantvillage" --field "$(DATA)/field"
	@cp build/release/* $(SHIPPED)/
	@$(BIN)/python -m training.importer.stamp $(dir $(SHIPPED))

bench: .venv/loadtest .venv-peers/ready  ## beside FastAPI, LitServe, BentoML and plain Triton; docs/benchmarks.md
	@$(BIN)/python -m loadtest.bench $(or $(BENCH),--publish)

scale: .venv/loadtest  ## what a request costs here, throughput by shape, and the capacity model beside it; docs/capacity.md
	@$(BIN)/python -m loadtest.scale

overhead: .venv/local  ## what the gateway costs beside `diagnose` driven directly; replays; round trips
	@$(BIN)/python -m loadtest.overhead

loadtest: .venv/loadtest  ## SCENARIO=steady with locust; SECONDS=… (of a ramp, each step), PROCESSES=…, WEB=1 for its page; docs/guides/load-testing.md
	@$(BIN)/python -m loadtest.scenarios $(SCENARIO) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(PROCESSES),--processes $(PROCESSES)) $(if $(WEB),--web)

soak: .venv/loadtest  ## MINUTES=30 (10 at least) at 70 % of capacity: does anything grow, does anything break?
	@$(BIN)/python -m loadtest.soak --minutes $(MINUTES)

bench-gpu: .venv-gpu/ready  ## three networks on one GPU: held to the CPU's answers, and timed; docs/gpu.md
	@.venv-gpu/bin/python -m loadtest.gpu $(GPU)

images: VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
images:  ## frond-gateway and frond-triton, with the container engine ENGINE, on GATEWAY_BASE and TRITON_BASE
	@for image in "gateway $(GATEWAY_BASE)" "triton $(TRITON_BASE)"; do name=$${image%% *}; base=$${image#* }; \
		case $$base in *@sha256:*) ;; *) \
			echo "frond-$$name is built on $$base, whatever that is today: nobody has reviewed it. Name its digest:" \
				"make images $$(echo $$name | tr a-z A-Z)_BASE=$$base@sha256:… (docs/guides/images.md)" >&2;; esac; \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(ENGINE) build --file Dockerfile.$$name --tag frond-$$name:$(VERSION) \
			--build-arg BASE=$$base --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) $(BUILD) . \
			|| exit 1; done

sbom: .venv/test  ## bills of materials (CycloneDX) of the Python packages in each image
	@mkdir -p $(SBOM)
	@for image in gateway:gateway triton:serving; do \
		PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements/$${image#*:}.txt --pyproject pyproject.toml \
			--output-reproducible --output-file $(SBOM)/frond-$${image%:*}.cdx.json || exit 1; done

monitoring: .venv/test  ## dashboards, and the rules for the Prometheus operator, anew from deploy/monitoring
	@$(BIN)/python -m deploy.monitoring.generate

cluster: .venv/test  ## 2 gateways and 3 Tritons as deploy/ has them, rolled in turns under load, to be watched; needs root
	@$(BIN)/python -m tests.cluster

compose-secrets: .venv/local  ## what compose.yaml mounts, in .compose/; once
	@$(BIN)/python -m stack.compose

docs: .venv-docs/ready docs/site/node_modules  ## docs/ as a site, in SITE; REPOSITORY=https://…/blob/main leads its links to the sources
	@rm -rf $(SITE)
	@.venv-docs/bin/sphinx-build --quiet --fail-on-warning --builder dirhtml --fresh-env --doctree-dir $(SITE).doctrees \
		--define repository=$(REPOSITORY) --conf-dir docs/site docs $(SITE)
	@echo "$(SITE) is the site; to look at it: $(PYTHON) -m http.server --directory $(SITE)"

clean:  ## everything that was made here; the added models and the local database too
	@if [ -x $(BIN)/frond ]; then $(BIN)/frond down; fi
	@rm -rf .venv .venv-docs .venv-gpu .venv-peers .venv-training .frond build client/build client/src/*.egg-info *.egg-info
	@rm -rf client/typescript/node_modules docs/site/node_modules
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/python:
	@"$(PYTHON)" -c "$(PYTHON_FITS)" || { \
		echo "Frond's local runtime needs Python 3.11 or 3.12; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv
	@touch $@

.venv/local: .venv/python requirements/local.txt requirements/tritonserver.txt pyproject.toml client/pyproject.toml
	@echo "Setting up .venv …"
	@$(BIN)/python $(PIP) -r requirements/local.txt
	@$(BIN)/python $(PIP) --no-deps -r requirements/tritonserver.txt
	@$(BIN)/python -m pip install --quiet --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat \
		-e client -e .
	@touch $@

.venv/test: .venv/local requirements/test.txt
	@$(BIN)/python $(PIP) -r requirements/test.txt
	@touch $@

.venv/loadtest: .venv/local requirements/loadtest.txt
	@$(BIN)/python $(PIP) --no-deps -r requirements/loadtest.txt
	@touch $@

.venv-peers/ready: requirements/peers.txt
	@"$(PYTHON)" -m venv .venv-peers
	@.venv-peers/bin/python $(PIP) -r requirements/peers.txt
	@touch $@

.venv-docs/ready: requirements/docs.txt
	@"$(PYTHON)" -m venv .venv-docs
	@.venv-docs/bin/python $(PIP) -r requirements/docs.txt
	@touch $@

docs/site/node_modules: docs/site/package.json
	@npm --prefix docs/site install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# The compiler alone, which needs no other package: its exact version in package.json says all that a lock would.
client/typescript/node_modules: client/typescript/package.json
	@npm --prefix client/typescript install --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

.venv-training/ready: requirements/training.txt
	@"$(PYTHON)" -m venv .venv-training
	@.venv-training/bin/python $(PIP) -r requirements/training.txt || { \
		echo "PyTorch's CPU build comes from its own index: name it in PIP_EXTRA_INDEX_URL." >&2; exit 1; }
	@touch $@

# A Python model in Triton finds our packages by the environment's own paths; it does not look at PYTHONPATH.
.venv-gpu/ready: requirements/gpu.txt requirements/tritonserver.txt pyproject.toml
	@"$(PYTHON)" -c "$(PYTHON_FITS)" || { echo "Triton's Python stub needs Python 3.11 or 3.12." >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv-gpu
	@.venv-gpu/bin/python $(PIP) -r requirements/gpu.txt
	@.venv-gpu/bin/python $(PIP) --no-deps -r requirements/tritonserver.txt
	@.venv-gpu/bin/python -m pip install --quiet --quiet --no-deps --no-build-isolation \
		--config-settings editable_mode=compat -e .
	@touch $@
