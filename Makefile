# Checks and tests; `make check` is static, `make test` runs everything.
PYTHON := .venv/bin/python
CXX_FILES := $(shell git ls-files 'hls_lib/*.hpp' 'hls_lib/*.cpp' 'tests/*.hpp' 'tests/*.cpp' ':!tests/golden')
KERNELS := $(wildcard $(foreach p,smollm2_135m llama2_7b gpt2_medium,tests/golden/$(p)/cxx/*.cpp))
PYTHON_FOLDERS := stbuild rules platforms targets projects tests benchmarks hls_lint

.PHONY: check test lint types cxx hls-lint twins

check: lint types cxx hls-lint

# Two workers on two cores: with more threads torch's operations would wait for each other's.
test: .venv/dev
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

lint: .venv/dev
	$(PYTHON) -m ruff check $(PYTHON_FOLDERS)
	$(PYTHON) -m ruff format --check -q $(PYTHON_FOLDERS)
	.venv/bin/clang-format --dry-run --Werror $(CXX_FILES)

types: .venv/dev
	$(PYTHON) -m mypy --num-workers 2 stbuild rules platforms projects tests benchmarks hls_lint

cxx:
	@for f in $$(git ls-files 'hls_lib/include/*.hpp' 'hls_lib/sim/*.cpp' 'hls_lib/xrt_model/*.cpp'); do \
	  echo "#include \"$$f\"" | g++ -std=c++17 -O1 -march=native -Wall -Wextra -Werror -Wno-unknown-pragmas \
	    -Wno-unused-label -fsyntax-only -I. -Ihls_lib/include -x c++ - || exit 1; done

# All comparisons of rtl_lib/twins with hls_lib, and what Yosys counts of them: some minutes.
twins: .venv/dev
	$(PYTHON) -m benchmarks.twins --launches 100 --count

# The loops, arrays and markers of the kernels that the projects generate for a U55C.
hls-lint: .venv/dev
	$(PYTHON) -m hls_lint $(KERNELS)

.venv/dev: requirements.txt requirements-dev.txt
	./stbuildw --version
	.venv/bin/pip install -q -r requirements-dev.txt
	.venv/bin/pip install -q --no-deps hls4ml==1.3.0  # open ap_types headers, for the synthesis branch
	@touch $@
