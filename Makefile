# The commands of everyday work. 'make demo' and 'make test' set up what they need.
#
#   make demo    build everything, then watch messages run as sandboxed WebAssembly
#                (on the embedded broker; on Redis with REDIS_URL=redis://… set)
#   make test    every gate and every test
#   make gates   formatting, lints, documentation, direction of dependencies
#   make bench   throughput and latency on this machine, with a redis-server of its own

GUESTS := target/guests/examples
CHICORY := target/debug/chicory

# Backtraces of errors are for debugging; they slow tests and change what errors say.
unexport RUST_BACKTRACE

.PHONY: all demo test gates setup guests bench clean-guests

all: guests
	cargo build --locked -p chicory-cli

demo:
	scripts/setup wasm c linker
	scripts/guests examples
	cargo build --locked -p chicory-cli
	$(CHICORY) demo --modules $(GUESTS) $${REDIS_URL:+--broker "$$REDIS_URL"}

# The program is built first, since the suite drives the real one; with the tests, so that both share
# one build of the dependencies.
test: setup guests gates
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace

gates:
	cargo fmt --check
	cargo fmt --check --all --manifest-path examples/Cargo.toml
	cargo fmt --check --all --manifest-path tests/guests/Cargo.toml
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	scripts/direction

setup:
	scripts/setup

guests:
	scripts/guests

bench:
	scripts/setup redis linker
	cargo build --locked --release -p chicory-cli
	target/release/chicory bench

clean-guests:
	rm -rf target/guests
