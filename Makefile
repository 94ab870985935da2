# Everything lives in a cache outside the checkout; see `make help`.
PYTHON3 ?= python3
WORKSHOP = @exec $(PYTHON3) -m dev

export ODOO_SRC ODOO_ADDONS PYTHON ONLY

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench screenshots texts odoo shell clean

help:
	@echo 'make demo [STOP=1] [FAULTS=1]     the main job on a real Odoo, then try it yourself'
	@echo 'make test [ONLY=expr] [SUITE=pure|odoo] [ORDER=random [SEED=n]]'
	@echo 'make lint                         pre-commit on every file'
	@echo 'make bench                        the benchmarks'
	@echo 'make screenshots                  the pictures of the documentation'
	@echo 'make texts                        the translations, brought up to date'
	@echo 'make odoo | make shell            Odoo, or its shell, on a fresh database'
	@echo 'make clean                        remove what was built in the cache'
	@echo
	@echo 'ODOO_SRC=<tree> uses that Odoo, PYTHON=<interpreter> that CPython (3.8-3.10).'

demo:
	$(WORKSHOP) demo $(if $(filter-out 0,$(STOP)),--stop) \
		$(if $(filter-out 0,$(FAULTS)),--faults)

test:
	$(WORKSHOP) test $(if $(ONLY),--only "$$ONLY") $(if $(SUITE),--suite $(SUITE)) \
		$(if $(ORDER),--order $(ORDER)) $(if $(SEED),--seed $(SEED))

lint bench screenshots texts odoo shell clean:
	$(WORKSHOP) $@
