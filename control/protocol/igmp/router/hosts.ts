/**
 * Which hosts of a group asked for what (explicit tracking). Owns the fields of `HostMemory`; never touches the state of the group,
 * which is as the RFC has it whether or not hosts are known.
 *
 * A host is remembered until it has been silent for the Group Membership Interval. Where in doubt it is believed to want more than it
 * said, since this knowledge serves to end something without asking: an IS_IN may be one part of a list split over several messages
 * (RFC 3376 §4.2.16), or the answer to a question about a few sources (§5.2), so it adds and never replaces.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType } from '../message';
import type { TrackedHost } from './api';
import { editedSources, withSources, withoutSources, type HostWish } from './host-wish';
import type { AdmittedRecord } from './record';

export interface Host extends HostWish {
  readonly address: Ipv4;
  version: 1 | 2 | 3;
  firstMs: number;
  lastMs: number;
  /** When it is forgotten, unless it speaks again. */
  expiryMs: number;
}

/** Extended by what has hosts. Most groups of an access network have one, so the first needs no map. */
export interface HostMemory {
  firstHost: Host | undefined;
  moreHosts: Map<Ipv4, Host> | undefined;
  /** Until then there may be hosts that nobody knows of: hidden behind 0.0.0.0, behind report suppression, or left out by the limit. */
  hiddenUntilMs: number;
  /** Hosts in EXCLUDE mode. */
  excludeHosts: number;
  /** Not earlier is it looked for hosts that have fallen silent. */
  nextSweepMs: number;
}

export interface ReportTime {
  readonly nowMs: number;
  readonly expiryMs: number;
}

/** Beyond so many a question to the link is cheaper than going through all of them at every leave, which anybody can send. */
const DECIDABLE_HOSTS = 256;
/** Where there are more, how often they are gone through at most: anybody can make timers of a group run out. */
const SWEEP_GAP_MS = 10_000;

const NO_HOSTS: readonly Host[] = [];
const NO_SOURCES: readonly Ipv4[] = [];

export function hostCount({ firstHost, moreHosts }: HostMemory): number {
  return (firstHost === undefined ? 0 : 1) + (moreHosts?.size ?? 0);
}

export function findHost({ firstHost, moreHosts }: HostMemory, address: Ipv4): Host | undefined {
  return firstHost?.address === address ? firstHost : moreHosts?.get(address);
}

export function hideHosts(memory: HostMemory, untilMs: number): void {
  memory.hiddenUntilMs = Math.max(memory.hiddenUntilMs, untilMs);
}

/** A host not known so far, by a record that asks for something. */
export function rememberHost(memory: HostMemory, record: AdmittedRecord, { nowMs, expiryMs }: ReportTime): Host {
  const host: Host = {
    address: record.reporter,
    version: record.version,
    mode: 'include',
    sources: NO_SOURCES,
    firstMs: nowMs,
    lastMs: nowMs,
    expiryMs,
  };
  if (memory.firstHost === undefined) memory.firstHost = host;
  else (memory.moreHosts ??= new Map()).set(host.address, host);
  applyToHost(memory, host, record, { nowMs, expiryMs });
  return host;
}

/** What the record changes in what the host wants. False when it wants nothing any more. */
export function applyToHost(memory: HostMemory, host: Host, record: AdmittedRecord, { nowMs, expiryMs }: ReportTime): boolean {
  const before = host.mode;
  if (host.expiryMs <= nowMs) startAnew(host, nowMs);
  host.version = record.version;
  host.lastMs = nowMs;
  host.expiryMs = expiryMs;
  const complete = editHost(host, record);
  if (!complete) hideHosts(memory, expiryMs);
  if (before !== host.mode) memory.excludeHosts += host.mode === 'exclude' ? 1 : -1;
  return host.mode === 'exclude' || host.sources.length > 0;
}

export function forgetHost(memory: HostMemory, host: Host): void {
  if (host.mode === 'exclude') memory.excludeHosts -= 1;
  if (memory.firstHost !== host) {
    memory.moreHosts?.delete(host.address);
    return;
  }
  const next = memory.moreHosts?.values().next().value;
  memory.firstHost = next;
  if (next !== undefined) memory.moreHosts?.delete(next.address);
}

export function forgetAllHosts(memory: HostMemory): void {
  memory.firstHost = undefined;
  memory.moreHosts = undefined;
  memory.excludeHosts = 0;
}

export function hostsOf({ firstHost, moreHosts }: HostMemory): readonly Host[] {
  if (firstHost === undefined) return NO_HOSTS;
  return moreHosts === undefined ? [firstHost] : [firstHost, ...moreHosts.values()];
}

/** Those of the sources that some host may still want; all of them when it cannot be told. */
export function stillWanted(memory: HostMemory, sources: readonly Ipv4[], nowMs: number): readonly Ipv4[] {
  if (sources.length === 0) return sources;
  if (memory.hiddenUntilMs > nowMs || hostCount(memory) > DECIDABLE_HOSTS) return sources;
  const unwanted = new Set(sources);
  for (const host of hostsOf(memory)) {
    if (host.expiryMs <= nowMs) continue;
    const kept = host.mode === 'include' ? undefined : new Set(host.sources);
    if (kept === undefined) for (const source of host.sources) unwanted.delete(source);
    else for (const source of unwanted) if (!kept.has(source)) unwanted.delete(source);
    if (unwanted.size === 0) return sources;
  }
  return sources.filter((source) => !unwanted.has(source));
}

/**
 * Whether some host may still want sources beyond those of `timers`: every source, or one that it named and that an IS_EX of another
 * host has since deleted from the state (§6.4.1, "Delete (X-A)").
 */
export function moreStillWanted(memory: HostMemory, timers: ReadonlyMap<Ipv4, number>, nowMs: number): boolean {
  if (memory.hiddenUntilMs > nowMs || hostCount(memory) > DECIDABLE_HOSTS) return true;
  for (const { mode, sources, expiryMs } of hostsOf(memory)) {
    if (expiryMs <= nowMs) continue;
    if (mode === 'exclude' || sources.some((source) => (timers.get(source) ?? 0) <= nowMs)) return true;
  }
  return false;
}

/**
 * The group timer has run out (§6.5): nobody has asked for every source for as long as it ran. A host that has since answered a
 * question about sources may still want any of those that are left.
 */
export function becomeIncludeHosts(memory: HostMemory, timers: ReadonlyMap<Ipv4, number>): void {
  if (memory.excludeHosts === 0) return;
  memory.excludeHosts = 0;
  const left = [...timers.keys()];
  for (const host of hostsOf(memory)) {
    if (host.mode === 'include') continue;
    host.mode = 'include';
    host.sources = NO_SOURCES;
    if (!add(host, left)) hideHosts(memory, host.expiryMs);
  }
}

/**
 * Takes out who has been silent, and answers with them. `timers`, in INCLUDE mode, are the sources that anybody still asks for: a host
 * that once named another one has not repeated it.
 */
export function forgetSilentHosts(
  memory: HostMemory,
  timers: ReadonlyMap<Ipv4, number> | undefined,
  nowMs: number,
): readonly Host[] {
  if (memory.firstHost === undefined || nowMs < memory.nextSweepMs) return NO_HOSTS;
  if (hostCount(memory) > DECIDABLE_HOSTS) memory.nextSweepMs = nowMs + SWEEP_GAP_MS;
  let silent: Host[] | undefined;
  for (const host of hostsOf(memory)) {
    if (timers !== undefined && host.sources.some((source) => !timers.has(source))) {
      host.sources = host.sources.filter((source) => timers.has(source));
    }
    if (host.expiryMs <= nowMs || (host.mode === 'include' && host.sources.length === 0)) (silent ??= []).push(host);
  }
  for (const host of silent ?? NO_HOSTS) forgetHost(memory, host);
  return silent ?? NO_HOSTS;
}

export function describeHosts(memory: HostMemory, nowMs: number): TrackedHost[] {
  const described: TrackedHost[] = [];
  for (const { address, version, mode, sources, firstMs, lastMs, expiryMs } of hostsOf(memory)) {
    if (expiryMs <= nowMs) continue;
    described.push({ address, version, mode, sources, ageMs: nowMs - firstMs, lastReportMs: nowMs - lastMs });
  }
  return described;
}

function startAnew(host: Host, nowMs: number): void {
  host.firstMs = nowMs;
  host.mode = 'include';
  host.sources = NO_SOURCES;
}

/** False when not all that it wants could be remembered. */
function editHost(host: Host, { type, sources, isLeave }: AdmittedRecord): boolean {
  if (isLeave) {
    host.mode = 'include';
    host.sources = NO_SOURCES;
    return true;
  }
  switch (type) {
    case RecordType.MODE_IS_EXCLUDE:
    case RecordType.CHANGE_TO_EXCLUDE_MODE:
      host.mode = 'exclude';
      // An excluded source that is forgotten counts as wanted: nothing is missing.
      host.sources = editedSources(host.sources, sources);
      return true;
    case RecordType.CHANGE_TO_INCLUDE_MODE:
      // In INCLUDE mode already: the next part of a split list, or a repetition.
      if (host.mode === 'exclude' || sources.length === 0) host.sources = NO_SOURCES;
      host.mode = 'include';
      return add(host, sources);
    case RecordType.BLOCK_OLD_SOURCES:
      if (host.mode === 'include') host.sources = withoutSources(host.sources, sources);
      else host.sources = withSources(host.sources, sources).sources;
      return true;
    default:
      if (host.mode === 'include') return add(host, sources);
      host.sources = withoutSources(host.sources, sources);
      return true;
  }
}

function add(host: HostWish, sources: readonly Ipv4[]): boolean {
  const { sources: all, complete } = withSources(host.sources, sources);
  host.sources = all;
  return complete;
}
