SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet

.PHONY: help run test setup hook fmt lint type imports dead audit lock lock-check wit wit-check check snapshots cov bench docs guests guests-python test-term test-rooms test-cycles test-sdk test-kit test-lang test-interop test-net test-deb test-boot deb boot-image release sim fuzz soak clean docs-check

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

run: .venv/.run  ## open the console with the demo room; without a terminal: 15 s of its event stream
	@tools/run-demo

test: .venv/.dev  ## every test that needs nothing but Python packages
	@$(PY) -m pytest -q $(ARGS)

setup: .venv/.dev  ## make .venv with everything that development needs

# Installation talk goes to stderr: stdout of `make run` is data.
.venv/.run: requirements.lock pyproject.toml
	@tools/make-venv >&2
	@$(PIP) install --require-hashes -r requirements.lock >&2
	@$(PIP) install --no-deps --no-build-isolation -e . >&2
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	@$(PIP) install --require-hashes -r requirements-dev.lock >&2
	@touch $@

.venv/.guests: requirements-guests.lock .venv/.run
	@$(PIP) install --require-hashes -r requirements-guests.lock >&2
	@touch $@

hook: .venv/.dev  ## run lint and type before every commit
	@printf '#!/bin/sh\nexec make -s lint type\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit

fmt: .venv/.dev  ## format the code
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix --quiet .

lint: .venv/.dev  ## formatting and lint
	@$(PY) -m ruff format --check --quiet . && $(PY) -m ruff check --quiet .

type: .venv/.dev  ## types, strictly
	@$(PY) -m mypy && $(PY) -m mypy --explicit-package-bases tools bench

imports: .venv/.dev  ## who may import whom
	@$(PY) -c 'from importlinter.cli import lint_imports_command as main; main()' --no-cache

dead: .venv/.dev  ## code that nothing uses
	@$(PY) -m vulture

audit: .venv/.dev  ## known vulnerabilities in what is locked; an unreachable service is a warning
	@$(PY) tools/audit.py requirements.lock

lock: .venv/.dev  ## write the lock files anew, raising nothing that need not rise
	@$(PY) tools/lock.py --write

lock-check: .venv/.dev  ## the lock files fit pyproject.toml
	@$(PY) tools/lock.py --check

check: lint type imports dead lock-check audit wit-check guests docs-check  ## everything that is checked without running orlop

snapshots: .venv/.dev  ## take the pictures of all screens anew
	@$(PY) -m pytest -q tests/console/ui --snapshot-update || $(PY) -m pytest -q tests/console/ui

cov: .venv/.dev  ## tests with coverage
	@$(PY) -m coverage run -m pytest -q && $(PY) -m coverage combine -q && $(PY) -m coverage report

bench: .venv/.dev  ## measure; writes bench/results.json and bench/RESULTS.md
	@$(PY) -m bench

wit: .venv/.dev  ## write the bindings of the WIT in assets/wit anew
	@$(PY) tools/wit.py write

wit-check: .venv/.dev  ## the WIT is sound, breaks no released one, and the bindings are its own
	@$(PY) tools/wit.py check

docs: .venv/.dev  ## write the generated reference pages and copy the pictures
	@$(PY) tools/docs.py --write

docs-check: .venv/.dev  ## the generated pages are up to date
	@$(PY) tools/docs.py --check

guests: .venv/.guests  ## build the guests from source and compare them with the shipped bytes
	@$(PY) tools/guests.py build --check

guests-python: .venv/.guests  ## build the components in Python into build/components
	@$(PY) tools/guests.py python

test-term: .venv/.dev  ## tests in a real terminal (tmux); installs it when run as root
	@tools/need tmux
	@$(PY) -m pytest -q -m terminal tests/terminal

test-rooms: .venv/.dev  ## rooms of several processes, killed again and again; all members come to the same
	@$(PY) -m pytest -q -m rooms tests/cli/test_rooms_shared.py

test-cycles: .venv/.dev  ## a thousand components installed, run and taken away: nothing of them is left
	@$(PY) -m pytest -q -m cycles tests/runtime/components

test-sdk: .venv/.dev  ## the PHP and JavaScript SDKs and the browser's page, by real interpreters; installs them as root
	@tools/need php=php-cli node=nodejs chromium openssl
	@$(PY) -m pytest -q -m sdk tests/sdk docs

test-kit: .venv/.guests .venv/.dev  ## the kit for authors of agents with its compiler, which is a Python package
	@$(PY) -m pytest -q -m kit tests docs

test-lang: .venv/.dev  ## the how-tos for agents in Rust and AssemblyScript, by their compilers, and jco on our WIT; installs them as root
	@tools/need npm /usr/bin/rustc=rustc rust-lld=lld-14 /usr/lib/rustlib/wasm32-unknown-unknown=libstd-rust-dev-wasm32
	@PATH=/usr/bin:$$PATH $(PY) -m pytest -q -m languages docs tests/runtime/components/test_third_reader.py

test-net: export PATH := $(PATH):/usr/sbin:/sbin
test-net: .venv/.dev  ## real nodes on networks of the kernel's: addresses, cuts, losses, captures; needs no root, as a rule
	@tools/need ip=iproute2 nft=nftables
	@tools/in-namespaces $(PY) -m pytest -q -m net tests/namespaces

# Its requirements and ours exclude one another. The lock is all of it: without --no-deps pip refuses what it overrides.
build/interop/.made: requirements-interop.lock .venv/.run
	@$(PY) -m venv --clear build/interop
	@build/interop/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-interop.lock >&2
	@touch $@

test-interop: .venv/.dev build/interop/.made  ## PyPI's libp2p dials and is dialled, over TCP and QUIC
	@$(PY) -m pytest -q -m interop tests/interop

test-deb: export PATH := $(PATH):/usr/sbin:/sbin
test-deb: .venv/.dev  ## the Debian packages: content, and their life in a tree; pipx and uv; as root, installs what it needs
	@tools/need mmdebstrap pipx systemd-analyze=systemd
	@$(PY) -m pytest -q -m deb tests/deb

test-boot: export PATH := $(PATH):/usr/sbin:/sbin
test-boot: .venv/.dev  ## machines in QEMU that start from a verified image, two at a time; as root, installs what it needs
	@tools/need qemu-system-x86_64=qemu-system-x86 qemu-system-aarch64=qemu-system-arm qemu-img=qemu-utils /usr/share/OVMF=ovmf losetup=mount \
	  mksquashfs=squashfs-tools mcopy=mtools mkfs.fat=dosfstools mkfs.ext4=e2fsprogs zstd \
	  cpio mmdebstrap bsdtar=libarchive-tools sbsign=sbsigntool cert-to-efi-sig-list=efitools sgdisk=gdisk faketime xorriso openssl
	@$(PY) -m pytest -q -m boot -o timeout=1800 tests/qemu tests/boot docs

deb: .venv/.run  ## build the Debian packages for amd64 and arm64 into dist/, without root, the same bytes each time
	@$(PY) -m tools.deb

boot-image: .venv/.run  ## build an image that machines boot, not signed, into dist/boot; needs KEYS=DIR; ARGS='--arch arm64'
	@$(PY) -m console boot build --out dist/boot --root-key $(or $(KEYS),$(error KEYS=DIR is missing, from orlop boot keygen))/root.pub $(ARGS)

release: .venv/.dev  ## all that is given out: packages, lintian, images, signed hashes; KEYS=DIR VERSION=N NAME=2026.11
	@tools/need lintian mksquashfs=squashfs-tools zstd mcopy=mtools mkfs.ext4=e2fsprogs qemu-img=qemu-utils xorriso
	@$(PY) tools/release.py --keys "$(KEYS)" --version "$(VERSION)" --name "$(NAME)" $(ARGS)

sim: .venv/.dev  ## 1,000 seeded runs of rooms over a hostile transport, some ten minutes; ARGS='--seeds 100 --first 0'
	@$(PY) -m tests.runtime.rooms.sim_run $(ARGS)

fuzz: .venv/.dev  ## changed inputs for all that reads strangers' bytes, some 20 s; ARGS='--runs 1000000 --target identify'
	@$(PY) -m tests.net.fuzz $(ARGS)

soak: .venv/.dev  ## ten nodes for 20 minutes: jobs, kills, and what each of them holds; ARGS='--seconds 60 --nodes 4'
	@$(PY) -m tests.net.soak $(ARGS)

clean:  ## remove what was built; keeps .demo
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
