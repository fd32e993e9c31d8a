# `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup run demo test check format mutate bench lock sbom messages clean

PYTHON ?= python3
BIN := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Set everything up and serve on http://127.0.0.1:8000 with demonstration data
	@$(BIN)/flask --app wsgi setup
	@$(BIN)/flask --app wsgi demo --if-empty
	@exec $(BIN)/flask --app wsgi serve

demo: setup ## Rebuild the demonstration data
	@$(BIN)/flask --app wsgi setup
	@$(BIN)/flask --app wsgi demo --yes

setup: .venv/.run .venv/.web trace_app/translations/en/LC_MESSAGES/messages.mo ## Make the virtual environment with what the platform runs on

test: .venv/.node .venv/.web trace_app/translations/en/LC_MESSAGES/messages.mo ## Set up and pass all tests
	@sh tests/system.sh
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

check: .venv/.node ## Style, types, import rules, secrets and advisories
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python bin/npm.py tests/node run lint
	$(BIN)/pytest tests/test_templates.py tests/test_no_secrets.py
	$(BIN)/python bin/audit.py

format: .venv/.dev ## Format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mutate: .venv/.dev .venv/.web ## Change the product in a hundred places and see whether the tests notice
	$(BIN)/python -m tests.mutate

bench: .venv/.node ## Measure, against peers in the same run
	$(BIN)/python benchmarks/trace_page.py
	$(BIN)/python benchmarks/labels.py
	$(BIN)/python benchmarks/records.py
	$(BIN)/python benchmarks/recall.py
	$(BIN)/python benchmarks/clips.py
	$(BIN)/python benchmarks/cameras.py
	$(BIN)/python benchmarks/scan.py

sbom: .venv/.dev .venv/.web ## Write what the product is made of (CycloneDX) into build/
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --output-reproducible -o build/sbom-python.json requirements.txt
	$(BIN)/python bin/npm.py trace_app/web sbom --sbom-format cyclonedx --package-lock-only > build/sbom-web.json

lock: ## Pin the dependencies anew, with hashes (needs uv)
	uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt

messages: .venv/.dev ## Bring the English catalogue in line with the texts in the code
	$(BIN)/pybabel -q extract -F babel.cfg -k _ -k lazy_gettext -k ngettext:1,2 --no-location -o .venv/messages.pot .
	$(BIN)/pybabel -q update -N --no-wrap -l en -i .venv/messages.pot -d trace_app/translations

clean: ## Delete the virtual environment and caches; data in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@sh bin/make-venv $(PYTHON)

.venv/.run: .venv/bin/python requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.dev: .venv/bin/python requirements-dev.txt requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ .venv/.run

.venv/.web: .venv/.run trace_app/web/package-lock.json bin/npm.py
	@$(BIN)/python bin/npm.py trace_app/web ci
	@mkdir -p trace_app/static/vendor
	@cp trace_app/web/node_modules/zxing-wasm/dist/iife/reader/index.js trace_app/static/vendor/zxing-reader.js
	@cp trace_app/web/node_modules/zxing-wasm/dist/reader/zxing_reader.wasm trace_app/static/vendor/zxing-reader.wasm
	@cp trace_app/web/node_modules/tus-js-client/dist/tus.min.js trace_app/static/vendor/tus.js
	@touch $@

.venv/.node: .venv/.dev tests/node/package-lock.json tests/node/install.py bin/npm.py
	@$(BIN)/python tests/node/install.py
	@touch $@

%.mo: %.po | .venv/bin/python
	$(BIN)/pybabel -q compile -i $< -o $@
