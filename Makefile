# `make run` starts Crosswalk, `make test` tests it; nothing has to be typed before either.

PYTHON := .venv/bin/python
export PYTHONPATH := $(CURDIR)
export NPM_CONFIG_UPDATE_NOTIFIER := false
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: runtime graphiql ## start the gateway with the sandbox CRMs; Ctrl-C stops everything
	@grep -qs '^CROSSWALK_SANDBOX=' .env || export CROSSWALK_SANDBOX=$${CROSSWALK_SANDBOX:-1}; exec $(PYTHON) -m gateway serve

test: development ## the tests
	@$(PYTHON) -m pytest -n 3 --dist loadscope --no-loadscope-reorder

check: development ## format, lint, types, imports, the rules of the house, the committed schema
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PYTHON) -m pytest tests/house

schema: development ## write schema/schema.graphql from the code
	$(PYTHON) -m gateway schema --out schema/schema.graphql

bench: development ## measure, and print the figures
	$(PYTHON) -m bench

soak: development ## the long tests: the same code, larger seeds
	$(PYTHON) -m pytest --timeout 1800 tests/soak

audit: development graphiql ## GraphQL over HTTP, and GraphiQL in a browser; needs Node.js and Chromium
	@cd audit && npm ci --silent --ignore-scripts
	$(PYTHON) -m audit

# ---------------------------------------------------------------- set-up

runtime: .venv/made
	@$(call install,requirements.lock)

development: .venv/made
	@$(call install,requirements-dev.lock)

graphiql: runtime ## fetch GraphiQL, where there is a Node.js, so that no page needs the network
	@cmp -s gateway/page/graphiql.json gateway/static/graphiql/.fetched || $(PYTHON) -m gateway.graphiql

# uv where there is one; else venv; else, on a system whose Python has no ensurepip, venv without a pip of its own.
.venv/made:
	@python=; for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python="$$name" && break; done; \
	if [ -z "$$python" ]; then echo 'Crosswalk needs Python 3.11 or newer, as python3 on the PATH.' >&2; exit 1; fi; \
	rm -rf .venv; \
	if command -v uv >/dev/null; then uv venv --quiet --python "$$python" .venv; \
	else "$$python" -m venv .venv 2>/dev/null || "$$python" -m venv --without-pip --clear .venv; fi
	@touch $@

# Installs a lock once: what is installed is remembered by a copy of it.
define install
cmp -s $(1) .venv/$(1) || { echo 'Installing $(1) ...'; \
  if command -v uv >/dev/null; then uv pip install --quiet --python $(PYTHON) --require-hashes -r $(1); \
  elif [ -x .venv/bin/pip ]; then $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); \
  else pip --python $(PYTHON) install --quiet --disable-pip-version-check --require-hashes -r $(1); fi; } && cp $(1) .venv/$(1)
endef

.PHONY: help run test check schema bench soak audit runtime development graphiql
