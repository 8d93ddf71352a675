#!/usr/bin/env bash
# The tests over random input, from another place each time: run-random-tests.sh [ROUNDS], 1 by default. A round that fails ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(grep -rlE "from '(fast-check|\./random-packets)'" test --include='*.test.ts')
for ((round = 1; round <= ${1:-1}; round++)); do
  export XMCAST_SEED=$((RANDOM << 15 | RANDOM))
  echo "run-random-tests.sh: round $round, XMCAST_SEED=$XMCAST_SEED"
  node_modules/.bin/jest --runTestsByPath "${files[@]}"
done
