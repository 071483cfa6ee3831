# Everything that is done to this project, by name. CI calls the same targets (.ci/run).

CARGO ?= cargo
RUSTC ?= rustc
PYTHON ?= python3
TARGET ?= x86_64-unknown-linux-musl
SECS ?= 60
OUT = $(or $(CARGO_TARGET_DIR),target)

# The package that brings llhttp's cases.
aiohttp = 3.14.5
aiohttp_hash = 5558a7f5a05af9ecf744af91e5baefc436f93c9333e656c27ec253f9a6bbe178
llhttp = $(OUT)/vectors/aiohttp-$(aiohttp)/vendor/llhttp/test/response

.DEFAULT_GOAL := help
.PHONY: help run build test fuzz vectors abuse torture lint audit budget bench micro doc pages static dist static-check \
install clean tools

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: tools ## fetch: make run ARGS='-j 4 http://…'; without ARGS, demonstrate on this machine alone
ifdef ARGS
	@$(CARGO) run --release --locked -q -- $(ARGS)
else
	@$(CARGO) build --release --locked -q
	@$(CARGO) run --release --locked -q --example demo -- $(OUT)/release/smolget
endif

build: tools ## build the program: target/release/smolget
	$(CARGO) build --release --locked

test: tools ## run every test, and those of the library without TLS and command line
	$(CARGO) test --locked
	$(CARGO) test --locked --lib --no-default-features

fuzz: tools ## fuzz for SECS=60 in all, or ONLY=head alone; run an input again: make fuzz INPUT=FILE
	@command -v $(firstword $(CXX)) >/dev/null || { echo '$(no_cxx)' >&2; exit 1; }
	@CXX='$(CXX)' RUSTFLAGS='$(fuzz_flags)' $(CARGO) build --release --locked --target $(host) --target-dir $(OUT)/fuzz/build \
	--manifest-path tests/fuzz/targets/Cargo.toml
ifdef INPUT
	@$(fuzzers)/$(notdir $(abspath $(dir $(INPUT)))) '$(INPUT)'
else
	@$(CARGO) run --locked -q --example fuzz -- $(fuzzers) $(OUT)/fuzz $(SECS) $(ONLY)
endif

vectors: tools $(if $(VECTORS),,$(llhttp)) ## replay llhttp's response cases: fetched by pip once, or make vectors VECTORS=folder
	$(call harness,vectors,'$(or $(VECTORS),$(llhttp))')

abuse: tools ## do to the program all that servers can: make abuse ROUNDS=20 SEED=1
	$(call harness,abuse,$(or $(ROUNDS),1) $(SEED))

torture: tools ## kill it, fail its calls, fill its disk: some hundred times, or make torture POINTS=500. Needs strace
	$(call harness,torture)

budget: tools ## count allocations and system calls a request and the bytes of the program: fails 5 % over tests/budget/budget.txt
	$(call harness,budget)

lint: tools ## format, clippy, documentation, Python, no tokio in the tree, cargo-deny if it is installed
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/targets/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --bench micro -- --cfg benching -D warnings
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	$(CARGO) clippy --locked --bins --no-default-features --features cli -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --lib --no-deps
	@$(foreach target,x86_64-unknown-linux-gnu armv7-unknown-linux-musleabihf,$(call no_tokio,$(target)) &&) :
	@if command -v $(PYTHON) >/dev/null; then PYTHONPYCACHEPREFIX='$(abspath $(OUT))/pycache' $(PYTHON) -m compileall -q benches; \
	else echo 'lint: $(PYTHON) is not installed, so benches/side_by_side was not compiled'; fi
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; \
	else echo 'lint: cargo-deny is not installed, so licences and sources were not checked'; fi

audit: tools ## compare the tree with the RustSec advisories: needs cargo-deny and the internet
	$(CARGO) deny check advisories

bench: tools ## measure it beside curl, wget2, aria2c and aiohttp: make bench ROUNDS=5 ONLY=discarded,saved CURL=curl
	@command -v $(PYTHON) >/dev/null || { echo '$(no_python)' >&2; exit 1; }
	@CARGO='$(CARGO)' PYTHONPATH=benches $(PYTHON) -B -m side_by_side '$(abspath $(OUT))/bench'

micro: tools ## measure parts by themselves, allocations too: codec, channels, list, rows; or make micro ARGS=codec
	RUSTFLAGS='--cfg benching' $(CARGO) bench --locked --target-dir $(OUT)/micro --bench micro -- $(ARGS)

doc: tools ## build the library's documentation: target/doc/smolget
	$(CARGO) doc --locked --lib --no-deps

pages: tools ## make a man page and completions for bash, zsh and fish of what --help says: target/pages
	$(call harness,pages,$(OUT)/pages)

static: export RUSTFLAGS += -C target-feature=+crt-static $(mips_flags) $(if $(std_installed),,$(own_std_flags) $(thumb))
static: tools ## build a static program: make static TARGET=mipsel-unknown-linux-musl; STD=source even where std is installed
	@$(or $(std_installed),$(std_source),{ echo '$(no_std)' >&2; exit 1; })
	$(if $(std_installed),,RUSTC_BOOTSTRAP=1) $(static_cargo) rustc --bin smolget --profile static --locked --target $(TARGET) \
	$(if $(std_installed),,$(std_from_source)) $(if $(std_installed),,-- $(lean)) || { echo '$(no_cross_compiler)' >&2; exit 1; }
	@echo "$(static_program): $$(wc -c <$(static_program)) bytes"

# One after the other, each as far as it comes; a program of an earlier time must not pass for one of this.
dist: tools ## build a static program for every target: target/dist, with SHA256SUMS and the sizes
	@rm -rf $(OUT)/dist && mkdir -p $(OUT)/dist
	@failed=; for target in $(TARGETS); do \
	if $(MAKE) --no-print-directory static TARGET=$$target; then cp $(OUT)/$$target/static/smolget $(call dist_program,$$target); \
	else failed="$$failed $$target"; fi; done; \
	(cd $(OUT)/dist && sha256sum smolget-* >SHA256SUMS && wc -c smolget-* | $(sizes) | tee SIZES.md); \
	[ -z "$$failed" ] || { echo "dist: not built:$$failed" >&2; exit 1; }

static-check: tools ## run what make dist built through a short suite, foreign ones under qemu; or one of make static: TARGET=
	@$(CARGO) run --locked -q --example static-check -- $(checked)

install: tools $(if $(PREFIX),pages) ## install the program, man page and completions below PREFIX; or the program where cargo does
	$(CARGO) install --path . --locked $(if $(PREFIX),--root '$(PREFIX)')
ifdef PREFIX
	install -D -m 644 $(OUT)/pages/smolget.1 '$(PREFIX)/share/man/man1/smolget.1'
	install -D -m 644 $(OUT)/pages/smolget.bash '$(PREFIX)/share/bash-completion/completions/smolget'
	install -D -m 644 $(OUT)/pages/_smolget '$(PREFIX)/share/zsh/site-functions/_smolget'
	install -D -m 644 $(OUT)/pages/smolget.fish '$(PREFIX)/share/fish/vendor_completions.d/smolget.fish'
endif

clean: tools ## remove what was built
	$(CARGO) clean

# What nothing here goes without, asked for before anything else happens.
tools:
	@command -v $(CARGO) >/dev/null || { echo '$(no_cargo)' >&2; exit 1; }
	@command -v $(firstword $(CC)) >/dev/null || { echo '$(no_cc)' >&2; exit 1; }

no_cargo = There is no $(CARGO). Install Rust 1.89 or newer: https://rustup.rs; Debian: apt-get install rustup, \
then rustup default stable; Alpine: apk add cargo. OpenWrt has none: run make static elsewhere and copy the program.
no_cc = There is no C compiler $(CC), which ring (the cryptography below TLS) needs. Debian: apt-get install gcc libc6-dev; \
Alpine: apk add gcc musl-dev; OpenWrt: opkg install gcc, or run make static elsewhere and copy the program.

no_python = There is no $(PYTHON), which runs the comparison. Debian: apt-get install python3 python3-venv nginx-light \
openssl, and what is to be compared: curl wget2 aria2 wrk.

no_cxx = There is no C++ compiler $(CXX), which libFuzzer (what drives the fuzzers) needs. Debian: apt-get install g++; \
Alpine: apk add g++.

# For the fuzzers: what the stable compiler takes to have the code tell libFuzzer where it was and what it compared, as
# cargo-fuzz sets it. No sanitizer, which takes a nightly compiler: there is no unsafe code for one to look into.
fuzz_flags = --cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
-C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
-C llvm-args=-sanitizer-coverage-trace-compares
# Named, so that programs which run while building are built without these flags.
host = $(shell $(RUSTC) --print host-tuple)
fuzzers = $(OUT)/fuzz/build/$(host)/release

# Lists the whole tree rather than asking for tokio: that question fails in one way or another when the answer is no.
define no_tokio
tree=$$($(CARGO) tree --locked -e normal --prefix none --target $(1)) && \
if printf '%s\n' "$$tree" | grep '^tokio'; then echo 'lint: tokio is in the tree for $(1)' >&2; exit 1; fi
endef

# A program that tries the real one: its name, and what it is told beside where that is.
define harness
@$(CARGO) build --release --locked -q
@$(CARGO) run --locked -q --example $(1) -- $(OUT)/release/smolget $(2)
endef

# llhttp's cases come in a source package that pip fetches, checks against the hash, and keeps below the target folder.
# pip can't be kept from asking the package for its metadata, for which it fetches a build tool or two as well.
$(llhttp):
	@mkdir -p $(OUT)/vectors
	@echo 'aiohttp==$(aiohttp) --hash=sha256:$(aiohttp_hash)' >$(OUT)/vectors/requirements.txt
	@python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary aiohttp \
	-r $(OUT)/vectors/requirements.txt -d $(OUT)/vectors || { echo '$(no_vectors)' >&2; exit 1; }
	@tar -xzf $(OUT)/vectors/aiohttp-$(aiohttp).tar.gz -C $(OUT)/vectors aiohttp-$(aiohttp)/vendor/llhttp

no_vectors = The cases of llhttp could not be fetched: that takes Python with pip (Debian: apt-get install python3-pip) \
and the internet. By hand: unpack the source package of aiohttp $(aiohttp) from PyPI, then \
make vectors VECTORS=aiohttp-$(aiohttp)/vendor/llhttp/test/response

# For a static build: std for the target as it is installed, else from source; zig as C compiler and linker if it is there.
TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf arm-unknown-linux-musleabi \
mipsel-unknown-linux-musl mips-unknown-linux-musl riscv64gc-unknown-linux-musl i686-unknown-linux-musl
sysroot := $(shell $(RUSTC) --print sysroot 2>/dev/null)
std_installed = $(if $(filter source,$(STD)),,$(if $(wildcard $(sysroot)/lib/rustlib/$(TARGET)/lib),:))
std_source = $(if $(wildcard $(sysroot)/lib/rustlib/src/rust/library/Cargo.toml),:)
std_from_source = -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size
static_cargo = $(or $(shell command -v cargo-zigbuild 2>/dev/null),$(CARGO))
static_program = $(OUT)/$(TARGET)/static/smolget
# The C start files come with an installed std; beside one from source, they are the linker's own. The rest takes bytes
# out, and is not stable: a panic, which is a mistake of ours, ends the program without a word; no tables to unwind the
# stack, no places in our sources, and of values that only developers see no more than the name.
own_std_flags = -C link-self-contained=no -Z unstable-options -C panic=immediate-abort -C force-unwind-tables=no \
-Z location-detail=none -Z fmt-debug=shallow
# For the program alone, at the end. Only the last script that a linker is given counts. LLVM puts into their callers only
# those functions that are as short as a call, and makes functions of sequences that occur often, where it can: not for
# MIPS, and what it makes for i686 and RISC-V does not assemble. Together that is 7% more instructions a URL.
lean = -C link-arg=-Wl,-T,$(CURDIR)/src/$(if $(filter mips-%,$(TARGET)),static-mips.ld,static.ld) \
-C llvm-args=-inline-threshold=5 \
$(if $(filter x86_64% aarch64% arm%,$(TARGET)),-C llvm-args=-enable-machine-outliner=always)
# Thumb-2 instructions are shorter; the first Pis have only half of them.
thumb = $(if $(filter armv7%,$(TARGET)),-C target-feature=+thumb-mode)
# Position-independent MIPS programs crash when they start. rustix calls the C library there unless told otherwise, and
# wrongly so: timers get a time of another width and never end, and dlsym is called in a way for which it crashes.
mips_flags = $(if $(filter mips%,$(TARGET)),-C relocation-model=static --cfg=rustix_use_experimental_asm)
no_std = There is no std for $(TARGET). Install it: rustup target add $(TARGET); or its source: rustup component add rust-src.
no_cross_compiler = If a C compiler or linker for $(TARGET) is missing: pip install ziglang and cargo install --locked \
cargo-zigbuild bring one for every target; for x86_64-unknown-linux-musl, Debian has musl-tools.

version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
dist_program = $(OUT)/dist/smolget-$(version)-$(1)
# Without TARGET from whoever calls, all that belong to a release.
checked = $(if $(filter file,$(origin TARGET)),$(foreach target,$(TARGETS),$(target)=$(call dist_program,$(target))),\
$(TARGET)=$(static_program))
# Sizes → a table in Markdown.
sizes = awk 'BEGIN { print "| target | bytes |\n|---|---|" } \
$$2 != "total" { sub("smolget-$(version)-", "", $$2); printf "| %s | %d |\n", $$2, $$1 }'
