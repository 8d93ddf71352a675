#!/bin/sh
# Removes everything a lab has made: its processes, its namespaces, its paths, its record. Does no harm when run twice.
#
#   cleanup.sh now RECORD           at once
#   cleanup.sh when-owner-ends RECORD   as soon as stdin ends, which is when the process holding the other end is gone
#
# RECORD is the directory described in lab-record.ts.
set -u

mode=$1
record=$2

# Start time of a process, to tell it from a later one with the same id. The command name may hold anything, hence the greedy cut.
start_time() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

kill_recorded_processes() {
	[ -f "$record/processes" ] || return 0
	while read -r pid started; do
		[ "$(start_time "$pid")" = "$started" ] && kill -s KILL -- "-$pid" 2>/dev/null
	done <"$record/processes"
	return 0
}

# Whatever still runs inside, recorded or not: up to 5 s for the kernel to be done with it.
empty_namespace() {
	tries=100
	while [ "$tries" -gt 0 ]; do
		pids=$(ip netns pids "$1" 2>/dev/null)
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086 # one word per process
		kill -KILL $pids 2>/dev/null
		tries=$((tries - 1))
		sleep 0.05
	done
}

remove_namespaces() {
	[ -f "$record/namespaces" ] || return 0
	while read -r namespace; do
		[ -e "/var/run/netns/$namespace" ] || continue
		empty_namespace "$namespace"
		ip netns delete "$namespace" 2>/dev/null
	done <"$record/namespaces"
}

# The record is data: only places that are made to be thrown away are removed.
remove_paths() {
	[ -f "$record/paths" ] || return 0
	while read -r path; do
		case $path in
		*/../* | */..) ;;
		/sys/fs/bpf/?* | /run/?* | /tmp/?*) rm -rf -- "$path" ;;
		esac
	done <"$record/paths"
}

if [ "$mode" = when-owner-ends ]; then
	cat >/dev/null
fi
[ -d "$record" ] || exit 0
kill_recorded_processes
remove_namespaces
remove_paths
rm -rf -- "$record"
