#!/usr/bin/env bash
# The everyday tests: units in parallel first, then those that make network namespaces, a few at a time. Arguments go to jest.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then exec node_modules/.bin/jest "$@"; fi
node_modules/.bin/jest --testPathIgnorePatterns '/test/(netns|interop|e2e|bpf)/' '/bindings/'
if [ "$(id -u)" -ne 0 ]; then
  echo "run-tests.sh: the tests of bindings, bpf, netns, interop and e2e need root: run them as root" >&2
  exit 1
fi
node_modules/.bin/jest --maxWorkers=2 bindings test/bpf test/netns test/interop test/e2e
