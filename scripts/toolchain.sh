# Finds the tools that compile guests. Sourced by setup and guests; must not install anything.
# shellcheck shell=bash

say() {
    echo "${0##*/}: $*"
}

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Which Rust can compile guests: prints rustup (the one on the PATH, wherever it came from), debian or
# nothing.
rust_guest_toolchain() {
    if has_target wasm32-unknown-unknown && has_target wasm32-wasip1; then
        echo rustup
    elif has_debian_rust; then
        echo debian
    fi
}

# Whether the compiler on the PATH has the standard library for target $1.
has_target() {
    local libraries
    libraries=$(rustc --print target-libdir --target "$1" 2>/dev/null) &&
        compgen -G "$libraries/libstd-*.rlib" >/dev/null
}

# Whether Debian's rustc-web and what belongs to it are there.
has_debian_rust() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/include/wasm32-wasi ] &&
        [ -n "$(wasm_linker)" ] &&
        [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

# LLVM's linker for WebAssembly, the newest version first.
wasm_linker() {
    compgen -c wasm-ld | sort -Vru | head -n 1
}

# Prints the command of a C compiler for WASI, with the arguments that it needs: wasi-sdk, clang with a
# distribution's wasi-libc, or Zig from PyPI. To be run in the project's folder.
wasi_c_compiler() {
    if [ -n "${WASI_SDK_PATH:-}" ] && [ -x "$WASI_SDK_PATH/bin/clang" ]; then
        echo "$WASI_SDK_PATH/bin/clang --target=wasm32-wasip1"
        return
    fi
    local clang
    for clang in $(compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -Vru) clang; do
        if compiles_to_wasi "$clang"; then
            echo "$clang $wasi_arguments"
            return
        fi
    done
    [ -d "$tools/ziglang" ] || return 1
    echo "env PYTHONPATH=$tools ZIG_GLOBAL_CACHE_DIR=$tools/zig-cache python3 -m ziglang cc --target=wasm32-wasi"
}

# Prints the Go toolchain: one that knows WASI well enough, on the PATH or from PyPI.
find_go() {
    local go
    for go in go "$tools/go/bin/go"; do
        if command -v "$go" >/dev/null && "$go" version | grep -qE ' go1\.(2[4-9]|[3-9][0-9])'; then
            command -v "$go"
            return
        fi
    done
    return 1
}

# Where setup puts what it installs for this project alone.
tools=target/tools

wasi_arguments='--target=wasm32-wasi --sysroot=/usr -isystem /usr/include/wasm32-wasi'

compiles_to_wasi() {
    command -v "$1" >/dev/null || return 1
    # shellcheck disable=SC2086  # Several arguments.
    echo 'int main(void) { return 0; }' |
        "$1" $wasi_arguments -Wno-deprecated -x c - -o /dev/null 2>/dev/null
}

# Where chicory keeps the tools that build Python and JavaScript, if XDG_CACHE_HOME is this folder: the tests
# and 'chicory build' take them from there. To be run in the project's folder.
chicory_tools_home() {
    echo "$PWD/$tools/cache"
}

# The folder of the tools for language $1, whose versions are pinned in file $2: named as chicory names it.
chicory_tools() {
    echo "$(chicory_tools_home)/chicory/$1-$(sha256sum "$2" | cut -c 1-16)"
}

# The folder of the linters, named by the versions that are pinned.
linters() {
    echo "$PWD/$tools/linters-$(cat scripts/linters/requirements.txt scripts/linters/package-lock.json | sha256sum | cut -c 1-16)"
}

python_tools() {
    chicory_tools python guest-sdk/python/build-requirements.txt
}

javascript_tools() {
    chicory_tools javascript guest-sdk/javascript/tool/package-lock.json
}
