# Every target sets up .venv by itself, once, from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := pyproject.toml constraints.txt CMakeLists.txt native/CMakeLists.txt $(wildcard native/*.cpp native/*.hpp)
CXX ?= g++

.PHONY: demo test check format lint types native-check bench clean

demo: $(INSTALLED)
	$(BIN)/ctckit demo --out demo-report

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: $(INSTALLED) lint types native-check test

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

# The core alone, all warnings as errors, with AddressSanitizer, UBSan and poisoned memory.
native-check: $(INSTALLED)
	mkdir -p build
	PATH="$(abspath $(BIN)):$$PATH" cmake -G Ninja -S native/tests -B build/sanitized -DCMAKE_BUILD_TYPE=RelWithDebInfo > build/sanitized.log
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/sanitized --parallel 2
	build/sanitized/core_tests

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.loss

clean:
	rm -rf build dist demo-report .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(INSTALLED): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
