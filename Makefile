# demo, test, up, down, lint, bench, deploy, smoke. Everything runs from .venv, made from the hashed locks.
PYTHON ?= python3
BIN := .venv/bin
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes

# Where a shell forbids it, Python would compile its libraries anew in every worker, job and function: 12 s each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: cli demo preview openapi up down status test quick lint audit bench screenshots deploy smoke wheelhouse lock install

demo: install $(if $(filter spark,$(ENGINE)),.venv-spark/installed)  ## DATA=<folder or files> DATASET=<name> SETTINGS=<yaml> for your own data; DAYS=30 for a young fleet; FORMATS=5 for one in five formats; ENGINE=spark
	@if test -e "$(DATA)"; then set -- --data "$(DATA)"; else set -- $(foreach file,$(DATA),--data "$(file)"); fi; \
	exec $(BIN)/python -m local demo "$$@" $(if $(DATASET),--dataset "$(DATASET)") $(if $(SETTINGS),--settings "$(SETTINGS)") $(if $(DAYS),--days "$(DAYS)") $(if $(FORMATS),--formats) $(if $(ENGINE),--engine "$(ENGINE)")

preview: install  ## FILES=<files or folders> SETTINGS=<yaml>: what would be made of them, without a run
	@test -n "$(FILES)" || { echo "Say which files or folders: make preview FILES=june.csv, or FILES=\"june.csv july.json\""; exit 1; }
	@if test -e "$(FILES)"; then set -- "$(FILES)"; else set -- $(FILES); fi; \
	exec $(BIN)/python -m cli preview "$$@" $(if $(SETTINGS),--settings "$(SETTINGS)")

cli: install  ## the command line, headroom, for this user; with what preview needs
	@$(BIN)/uv tool install --quiet --force --reinstall "$(CURDIR)[preview]" && echo "headroom is installed: headroom --help"

openapi: install  ## docs/openapi.json, after a change of the HTTP API
	@PYTHONPATH=functions:processing AWS_DEFAULT_REGION=us-east-1 $(BIN)/python -c "import api; print(api.openapi())" > docs/openapi.json

up: install
	@$(BIN)/python -m local up

down: install
	@$(BIN)/python -m local down

# Three at a time on 2 cores, since tests of the laptop cloud also wait. Each worker has a cloud of its own, and a file's
# tests stay on one worker. The order is that of tests/conftest.py.
test: install .venv-toolkit/installed .venv-spark/installed  ## all tests
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(PYTEST)

quick: install  ## the fast unit tests
	$(BIN)/pytest tests/unit --numprocesses 2 -m "not slow" $(PYTEST)

lint: install .venv-lint/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/sam validate --lint --region us-east-1
	$(BIN)/mypy && cd functions && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache/functions .
	.venv-lint/bin/cfn-lint template.yaml
	.venv-lint/bin/checkov --config-file .checkov.yaml

audit: .venv-lint/installed  ## are the locked libraries known to have holes? Asks the package index
	for lock in jobs functions preview dev spark; do .venv-lint/bin/pip-audit --disable-pip --require-hashes --progress-spinner off --requirement requirements/$$lock.txt || exit 1; done

bench: .venv-bench/installed  ## ONLY=accuracy for one of them
	for one in $(or $(ONLY),preprocess findings accuracy speed); do PYTHONPATH=processing .venv-bench/bin/python -m bench.$$one || exit 1; done

screenshots: install  ## docs/images, with the present code; needs chromium. ONLY=reports or ONLY=page
	$(BIN)/python -m local.screenshots $(ONLY)

deploy: install
	PYTHON="$(CURDIR)/$(BIN)/python" $(BIN)/sam build && $(BIN)/sam deploy $(if $(ENV),--config-env $(ENV))
	$(BIN)/python -m local.release guard --environment $(or $(ENV),default)

smoke: install  ## STACK=headroom [DATASET=<a name that is free>]: does a deployed stack work?
	@$(BIN)/python -m cli smoke --stack $(or $(STACK),headroom) $(if $(DATASET),--dataset "$(DATASET)")

wheelhouse: install  ## BUCKET=<bucket>/<folder>: the jobs' libraries for jobs without internet
	@$(BIN)/python -m local.wheelhouse $(if $(BUCKET),--to "s3://$(BUCKET)/")

install: .venv/installed

.venv/installed: requirements/dev.txt requirements/jobs.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headroom needs Python 3.11 or newer; this is %s. Give another with make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -c 'import shutil, sys; free = shutil.disk_usage(".").free / 1e9; sys.exit(free < 4 and "The libraries need 4 GB of disk; %.1f GB are free here." % free)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)."; rm -rf .venv; exit 1; }
	@echo "Installing the libraries into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@cp requirements/jobs.txt .venv/headroom-jobs.txt  # run.sh reads it: this environment carries the jobs' libraries
	@touch $@

# Environments apart from the development's: bench, lint, Spark, and the toolkit of AWS's training image, which one test
# runs.
.venv-%/installed: requirements/%.txt requirements/uv.txt
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@cp .venv-$*/bin/uv .venv-$*/uv  # its own sync would remove it
	@.venv-$*/uv pip sync --quiet --python .venv-$*/bin/python --require-hashes requirements/$*.txt
	@touch $@

lock:  ## after a change of requirements/*.in; the order matters, each holds the next
	cd requirements && ../$(LOCK) jobs.in -o jobs.txt \
	&& ../$(LOCK) -c jobs.txt dev.in -o dev.txt \
	&& ../$(LOCK) -c dev.txt $(addprefix --no-emit-package ,botocore urllib3 python-dateutil six jmespath) functions.in -o functions.txt \
	&& ../$(LOCK) -c jobs.txt preview.in -o preview.txt \
	&& ../$(LOCK) -c dev.txt uv.in -o uv.txt \
	&& ../$(LOCK) -c dev.txt bench.in -o bench.txt \
	&& ../$(LOCK) lint.in -o lint.txt \
	&& ../$(LOCK) toolkit.in -o toolkit.txt \
	&& ../$(LOCK) spark.in -o spark.txt
