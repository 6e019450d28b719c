# make setup   a virtual environment in .venv with everything pinned in requirements.txt
# make demo    data, training, test, table and pictures on synthetic videos, on a CPU
# make test    the tests
# make lint    the linter
# make docs    the documentation, as a site in site/
VENV ?= .venv
BIN := $(VENV)/bin
# The first Python that is of a supported version.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
CONFIG := configs/vatrack_qd_synthetic.py
RUN := work_dirs/vatrack_qd_synthetic

.PHONY: setup demo test lint docs clean

setup: $(VENV)/.ready

# Where Debian's python3 lacks venv's ensurepip, pip installs into the environment from outside.
# opencv-python needs libGL, which servers lack; the headless build holds the same cv2, so it goes
# in last.
$(VENV)/.ready: requirements.txt
	@test -n "$(PYTHON)" || { echo 'Python 3.10, 3.11 or 3.12 is needed; none was found'; exit 1; }
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
		&& $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --progress-bar off -r requirements.txt
	$(BIN)/python -m pip install --progress-bar off --force-reinstall --no-deps \
		$$(sed -n 's/^\(opencv-python-headless==[^ ;]*\).*/\1/p' requirements.txt)
	$(BIN)/python -m pip check
	touch $@

demo: setup
	$(BIN)/python tools/make_synthetic.py --out data/synthetic
	$(BIN)/python tools/train.py $(CONFIG)
	$(BIN)/python tools/test.py $(CONFIG) --eval AP vAP --visible-as-amodal \
		--show-dir $(RUN)/pictures
	@echo 'Look at $(RUN)/pictures/contact_sheet.png and the films beside it.'

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo 'Look at site/index.html; with $(BIN)/python -m mkdocs serve the search works too.'

clean:
	rm -rf $(VENV) data/synthetic $(RUN) site
