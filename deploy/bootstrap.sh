#!/usr/bin/env bash
# Installs what building and testing xmcast need, by name, and builds everything. Idempotent: each step is skipped while nothing it
# depends on has changed. Options: --build-only (install nothing), --quiet (say nothing while there is nothing to do).
set -euo pipefail
cd "$(dirname "$0")/.."

build_only=false quiet=false
for argument in "$@"; do
  case "$argument" in
    --build-only) build_only=true ;;
    --quiet) quiet=true ;;
    *) echo "bootstrap.sh: unknown option $argument (known: --build-only, --quiet)" >&2; exit 2 ;;
  esac
done

stamps=build/.stamps
mkdir -p "$stamps"
log="$stamps/last.log"

say() { "$quiet" || printf '%s\n' "$*"; }

# step NAME INPUTS... -- COMMAND...: runs COMMAND unless it has succeeded before with inputs of the same content.
step() {
  local name=$1; shift
  local inputs=()
  while [ "$1" != -- ]; do inputs+=("$1"); shift; done
  shift
  local digest
  digest=$(find "${inputs[@]}" -type f -print0 2>/dev/null | sort -z | xargs -0 sha256sum | sha256sum)
  if [ "$(cat "$stamps/$name" 2>/dev/null)" = "$digest" ]; then return; fi
  printf '  %-10s ' "$name"
  local started=$SECONDS status
  # Not as the condition of an if: there the first failing command of a step would not end it.
  set +e
  (set -e; "$@") >"$log" 2>&1
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    printf 'failed\n'; cat "$log" >&2; exit 1
  fi
  printf '%s s\n' $((SECONDS - started))
  printf '%s' "$digest" >"$stamps/$name"
}

# Build: compiler for eBPF and addon, libbpf. Test: namespaces, other people's routers, captures, the metrics linter, certificates, shells.
debian_packages=(
  clang llvm clang-format gcc g++ make python3 pkg-config libbpf-dev libelf-dev zlib1g-dev linux-libc-dev
  iproute2 ethtool tcpdump tshark bpftool shellcheck procps util-linux prometheus igmpproxy smcroute frr
  python3-grpcio python3-protobuf openssl groff-base zsh fish
)

# Programs are wanted, services are not: neither now, where a service of a package would take interfaces and ports of this machine, nor
# after its next start. Only for packages that were not there before: somebody may use the others.
disable_services() {
  local service
  for service in $(dpkg -L "$@" | sed -n 's,^/etc/init\.d/\([^/]*\)$,\1,p; s,^/lib/systemd/system/\([^/@]*\)\.service$,\1,p' | sort -u); do
    update-rc.d "$service" disable || true
    if command -v systemctl >/dev/null; then systemctl disable "$service" || true; fi
  done
}

install_debian() {
  local missing=()
  local package
  for package in "${debian_packages[@]}"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "bootstrap.sh: missing Debian packages: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  printf '  %-10s %s\n' packages "${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d made_policy=false status=0
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made_policy=true; fi
  apt-get update -qq >"$log" 2>&1 || true
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 || status=$?
  if "$made_policy"; then rm -f "$policy"; fi
  if [ "$status" -ne 0 ]; then cat "$log" >&2; exit 1; fi
  disable_services "${missing[@]}" >>"$log" 2>&1
}

node_is_recent() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

build_bpf() {
  mkdir -p bpf/build
  clang -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c bpf/xmcast.bpf.c -o bpf/build/xmcast.bpf.o.new
  mv bpf/build/xmcast.bpf.o.new bpf/build/xmcast.bpf.o
}

build_addon() {
  # Headers that came with Node itself spare node-gyp a download.
  local prefix nodedir=()
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [ -e "$prefix/include/node/node_api.h" ]; then nodedir=(--nodedir="$prefix"); fi
  (cd bindings && ../node_modules/.bin/node-gyp configure build --jobs max "${nodedir[@]}")
}

build_proto() {
  mkdir -p proto/gen
  node_modules/.bin/pbjs -t static-module -w commonjs -r xmcast --dts -p proto -o proto/gen/xmcast.js proto/xmcast/v1/*.proto
  (cd proto && ../node_modules/.bin/buf build -o gen/xmcast.binpb --as-file-descriptor-set)
}

build_lab() {
  mkdir -p build/lab
  gcc -O2 -Wall -Wextra -Werror -o build/lab/xmtraffic test/lab/traffic/*.c
}

build_bench() {
  mkdir -p build/bench
  local source
  for source in test/bench/bpf/*.bpf.c; do
    clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "build/bench/$(basename "$source" .c).o" || return
  done
}

build_typescript() {
  node_modules/.bin/tsc -p tsconfig.json
  chmod +x build/control/main.js build/control/cli/main.js
}

build_manual() {
  node build/deploy/manual/main.js build/man
}

started=$SECONDS
if ! "$build_only"; then
  install_debian
fi
if ! node_is_recent; then
  echo "bootstrap.sh: Node.js 20.19 or later is needed, found: $(node --version 2>/dev/null || echo none). Install it and try again." >&2
  exit 1
fi
if ! "$build_only"; then
  # Not `npm ci`: it refuses a registry that does not carry the optional packages of every platform. The versions are the lock's all the same.
  step npm package-lock.json -- npm install --no-save --no-audit --no-fund
fi
step bpf bpf/*.c bpf/*.h -- build_bpf
step addon bindings/src bindings/binding.gyp -- build_addon
step proto proto/xmcast proto/buf.yaml -- build_proto
step lab test/lab/traffic -- build_lab
step bench test/bench/bpf -- build_bench
step typescript control deploy/manual test bindings/index.d.ts proto/xmcast tsconfig.json package-lock.json -- build_typescript
step manual build/deploy/manual build/control/cli build/control/main.js proto/xmcast package.json -- build_manual
say "xmcast is built ($((SECONDS - started)) s)"
