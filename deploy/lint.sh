#!/usr/bin/env bash
# Style and contracts: ESLint, types, clang-format, shellcheck, buf. Prints every finding, fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0
check() {
  printf '  %s\n' "$1"; shift
  "$@" || failed=1
}
check 'eslint' node_modules/.bin/eslint --max-warnings 0 control deploy test bindings
check 'types' node_modules/.bin/tsc --noEmit -p tsconfig.json
check 'clang-format' clang-format --dry-run --Werror bpf/*.c bpf/*.h bindings/src/* bindings/test/fixtures/*.c test/lab/traffic/* test/lab/bpf/* test/bench/bpf/*
check 'shellcheck' shellcheck deploy/*.sh .ci/run
check 'buf' sh -c 'cd proto && ../node_modules/.bin/buf lint'
check 'contract' deploy/check-contract.sh
exit "$failed"
