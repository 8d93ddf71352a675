#!/usr/bin/env bash
# The contract of the API against the one that was published last, proto/baseline.binpb: nothing that is in it may go or change its number,
# name or type. Where git knows where this branch left main, against that too: what has landed is relied on already.
# --publish: checks, and makes what is there now the baseline, to be committed. Another folder than proto/ may be given, for tests.
set -euo pipefail
cd "$(dirname "$0")/.."
publish=false folder=proto
for argument in "$@"; do
  case "$argument" in
    --publish) publish=true ;;
    *) folder=$argument ;;
  esac
done
buf=$PWD/node_modules/.bin/buf baseline=$PWD/proto/baseline.binpb
(cd "$folder" && "$buf" breaking --against "$baseline")
landed=$(git merge-base HEAD main 2>/dev/null || git merge-base HEAD origin/main 2>/dev/null || true)
if [ -n "$landed" ] && [ "$landed" != "$(git rev-parse HEAD)" ]; then
  before=$(mktemp -d)
  trap 'rm -rf "$before"' EXIT
  git archive "$landed" proto | tar -x -C "$before"
  (cd "$folder" && "$buf" breaking --against "$before/proto")
fi
if "$publish"; then (cd "$folder" && "$buf" build --exclude-source-info -o "$baseline"); fi
