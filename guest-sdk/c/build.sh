#!/usr/bin/env bash
# Builds the C program in DIR (all its *.c) as a plain WASI command, the task NAME.run: build.sh DIR OUT.wasm
# WASI_CC is the compiler with its arguments; unset, wasi-sdk's or a clang with wasi-libc is looked for.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: build.sh DIR OUT.wasm" >&2; exit 2; }
mkdir -p "$(dirname "$2")"
cc=${WASI_CC:-}
if [ -z "$cc" ] && [ -x "${WASI_SDK_PATH:-/nowhere}/bin/clang" ]; then
    cc="$WASI_SDK_PATH/bin/clang --target=wasm32-wasip1"
fi
if [ -z "$cc" ]; then
    clang=$(compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -Vru | head -n 1 || true)
    cc="${clang:-clang} --target=wasm32-wasi --sysroot=/usr -isystem /usr/include/wasm32-wasi -Wno-deprecated"
fi
# shellcheck disable=SC2086  # The compiler comes with its arguments.
$cc -Wall -Wextra -Os -ffile-prefix-map="$1"=. "$1"/*.c -o "$2" || {
    echo "needs a C compiler for WASI: wasi-sdk in WASI_SDK_PATH, or apt-get install clang lld wasi-libc" >&2
    exit 1
}
