# The two commands of a newcomer are `make demo` and `make test`; each installs what is missing, configures, builds, and
# then does its job. Everything real lives in CMake, test/run.py, bench/ and examples/.
BUILD  := build
PYTHON := $(BUILD)/venv/bin/python

.PHONY: build demo examples test bench format lint install clean

build: install
	@test -f $(BUILD)/build.ninja || cmake --preset release
	@cmake --build $(BUILD)

demo: build
	@$(PYTHON) examples/02_digits/demo.py --build $(BUILD)

examples: build
	@$(PYTHON) examples/run.py --build $(BUILD)

test: build
	@$(PYTHON) test/run.py --build $(BUILD)

bench: build $(BUILD)/peers/.installed
	@$(BUILD)/venv/bin/python bench/start.py --build $(BUILD)
	@$(BUILD)/peers/bin/python bench/bench.py --build $(BUILD) $(BENCH)

format: build
	@$(PYTHON) scripts/format.py --write

lint: build
	@$(PYTHON) scripts/format.py

install: $(BUILD)/venv/.installed
	@scripts/install.sh

$(BUILD)/venv/.installed: test/requirements.txt
	@scripts/install.sh
	@python3 -m venv $(BUILD)/venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r test/requirements.txt
	@touch $@

# The peers that `make bench` measures beside us (torch, onnxruntime, openvino, IREE, jax): a few GB, wanted by no other target.
$(BUILD)/peers/.installed: bench/requirements.txt
	@scripts/install.sh
	@python3 -m venv $(BUILD)/peers
	@$(BUILD)/peers/bin/python -m pip install --disable-pip-version-check -r bench/requirements.txt
	@touch $@

clean:
	@rm -rf $(BUILD)
