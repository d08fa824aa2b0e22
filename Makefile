# The commands of everyday work. 'make demo' and 'make test' set up what they need.
#
#   make demo    build everything, then watch messages run as sandboxed WebAssembly
#                (on the embedded broker; on Redis with REDIS_URL=redis://… set)
#   make test    every gate and every test
#   make test-languages  longer tests of Python and JavaScript
#   make test-versions  the program of the previous commit, or of COMMIT, and this one on one Redis
#   make test-servers  the broker's tests and the suite's core on Redis 6.2 to 8 and Valkey, as far as packages bring
#                them; with SERVER=FILE on that redis-server only
#   make gates   formatting, lints, documentation, dependencies and their direction
#   make bench   throughput and latency on this machine, with a redis-server of its own
#   make bench-micro  single steps of a task's path, by criterion
#   make fuzz    every fuzz target for an hour, or for SECONDS_EACH; TARGETS names some of them
#   make hostile all hostile guests and messages for a minute, beside a quick task
#   make chaos   workers, servers and networks that break for five minutes by a seeded schedule, and an
#                exact account; BROKER (redis, sqlite, sentinel or cluster), SEED and CHAOS_SECONDS choose what,
#                PROGRAM a program of another build
#   make budget  record what a task costs in counts, which make test guards

GUESTS := target/guests/examples
CHICORY := target/debug/chicory
# Rust workspaces of guests and their SDK. Linted and tested as host code, they share one build of their libraries.
GUEST_WORKSPACES := examples tests/guests guest-sdk/rust
GUEST_TARGET := target/guests/sdk

# What test-servers runs on each server.
SERVER_TESTS := $(patsubst %,--test %,conformance redis_addresses redis_clock redis_cluster redis_faults redis_format redis_large_results redis_registry redis_sentinel redis_tls)
SERVER_SUITE := at_most_once:: compat_ delayed:: doctor:: duplicates:: kill:: limited_users:: lost_answers:: lost_lease:: \
	outage:: queue_index:: topologies:: waiting::

# Backtraces of errors are for debugging; they slow tests and change what errors say.
unexport RUST_BACKTRACE

.PHONY: all program demo demo-guests test test-languages test-versions gates sdks setup guests bench bench-micro fuzz hostile chaos budget clean-guests test-servers

all: guests program

program:
	cargo build --locked -p chicory-cli

# Guests and program are built side by side: the last crates of the program leave a core idle.
demo:
	$(MAKE) --no-print-directory --jobs=2 demo-guests program
	$(CHICORY) demo --modules $(GUESTS) $${REDIS_URL:+--broker "$$REDIS_URL"}

demo-guests:
	scripts/setup wasm c
	scripts/guests demo

# The program is built first, since the suite drives the real one; with the tests, so that both share
# one build of the dependencies.
test: setup guests gates sdks
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace
	cargo test --locked --manifest-path guest-sdk/rust/Cargo.toml --target-dir $(GUEST_TARGET)

# What of Python and JavaScript takes minutes to build and compile.
test-languages: setup guests
	cargo build --locked --workspace --bins --tests
	cargo test --locked --workspace --test suite -- --ignored

# The program of another commit and this one on one Redis.
test-versions: setup guests
	scripts/versions $(COMMIT)

# The broker's own tests, and what the suite has of deliveries, results, users and outages, on servers of other versions.
test-servers: setup guests
	cargo build --locked --workspace --bins --tests
	servers=$${SERVER:-$$(scripts/servers)}; for server in $$servers; do \
		echo "== $$("$$server" --version)"; \
		CHICORY_TEST_REDIS_SERVER="$$server" cargo test --locked --workspace $(SERVER_TESTS) || exit 1; \
		CHICORY_TEST_REDIS_SERVER="$$server" cargo test --locked --workspace --test suite -- $(SERVER_SUITE) || exit 1; \
	done

gates:
	scripts/setup linters
	cargo fmt --check
	for workspace in $(GUEST_WORKSPACES); do \
		cargo fmt --check --all --manifest-path $$workspace/Cargo.toml || exit 1; done
	scripts/lint
	cargo clippy --locked --workspace --all-targets -- -D warnings
	for workspace in $(GUEST_WORKSPACES); do \
		cargo clippy --locked --workspace --all-targets --manifest-path $$workspace/Cargo.toml \
			--target-dir $(GUEST_TARGET) -- -D warnings || exit 1; done
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	# Alone, because in the workspace other crates' features would bring the sandbox along.
	cargo check --locked -p chicory-embedder-native
	scripts/direction
	scripts/package

# The SDKs' own tests, without WebAssembly.
sdks:
	python3 -B -m unittest discover --start-directory guest-sdk/python/tests
	node --test guest-sdk/javascript/test/sdk.test.js

setup:
	scripts/setup

guests:
	scripts/guests

bench:
	scripts/setup redis
	cargo build --locked --release -p chicory-cli
	target/release/chicory bench

bench-micro:
	scripts/setup redis
	cargo bench --locked --workspace --bench calls --bench messages --bench scripts

fuzz:
	scripts/fuzz $${SECONDS_EACH:-3600} $(TARGETS)

hostile: setup guests
	cargo build --locked --workspace --bins --tests
	CHICORY_HOSTILE_SECONDS=60 cargo test --locked --workspace --test suite hostile -- --nocapture

# Moved clocks take libfaketime; without it, they are left out. The report says how to play a run again.
chaos: setup guests
	cargo build --locked --workspace --bin chicory --bin chaos
	target/debug/chaos --broker $${BROKER:-redis} --seconds $${CHAOS_SECONDS:-300} $${SEED:+--seed $$SEED} \
		$${PROGRAM:+--program $$PROGRAM} --report target/chaos.json

budget:
	scripts/setup redis valgrind
	BUDGET=record cargo test --locked --workspace --test budget

clean-guests:
	rm -rf target/guests
