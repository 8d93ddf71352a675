/**
 * The state RFC 3376 §6.2 keeps of one group on one interface (filter-mode, group timer, sources with timers) and what records,
 * heard queries and time do to it. Never sends anything: it says which queries the tables ask for, others decide and send.
 *
 * State is changed in place: a report that refreshes one of a thousand sources must not copy the other 999.
 */
import type { Ipv4 } from '../../packet/address';
import type { RecordType } from '../message';
import { TRANSITIONS, type FilterMode, type SourceAction, type Transition } from './transition-table';

/** In place of an expiry time: the source timer is zero. Only in EXCLUDE mode. */
export const BLOCKED = -1;

/** What most groups have. One map for all of them: an empty one each would be a third of their memory. */
export const NO_SOURCE_TIMERS: ReadonlyMap<Ipv4, number> = new Map();
const NO_SOURCES: readonly Ipv4[] = [];

export interface GroupState {
  mode: FilterMode;
  /** When the group timer runs out. Meaningful in EXCLUDE mode only. */
  groupExpiryMs: number;
  /** When each source timer runs out, or BLOCKED. Written through this file only: it may be the one that empty groups share. */
  sources: ReadonlyMap<Ipv4, number>;
}

export interface RecordContext {
  readonly nowMs: number;
  readonly groupMembershipIntervalMs: number;
  readonly sourceLimit: number;
}

export interface RecordOutcome {
  /** The set of sources in some class, or the mode, is not what it was: the demand may have changed. */
  changed: boolean;
  /** Send Q(G, these), from the querier. */
  querySources: readonly Ipv4[];
  /** Send Q(G), from the querier. */
  readonly queryGroup: boolean;
  /** Sources that found no place under the limit. */
  refusedSources: number;
}

/** INCLUDE({}): nobody listens, the group is to be deleted (§6.3). */
export function isEmpty(state: GroupState): boolean {
  return state.mode === 'include' && state.sources.size === 0;
}

/** One group record, by the tables of §6.4.1 and §6.4.2. The caller has expired the state up to `nowMs`. */
export function applyRecord(
  state: GroupState,
  type: RecordType,
  sources: readonly Ipv4[],
  context: RecordContext,
): RecordOutcome {
  const row = TRANSITIONS[state.mode][type];
  const outcome: RecordOutcome = {
    changed: row.nextMode !== state.mode,
    querySources: NO_SOURCES,
    queryGroup: row.queryGroup,
    refusedSources: 0,
  };
  // Deletions first: what the record forgets makes room under the limit for what it names.
  applyToUnlisted(state, row, sources, outcome);
  // A source listed twice finds itself in the class that the first time put it in, where nothing more happens to it.
  for (const source of sources) applyToListed(state, source, row, { context, outcome });
  state.mode = row.nextMode;
  if (row.refreshGroupTimer) state.groupExpiryMs = context.nowMs + context.groupMembershipIntervalMs;
  return outcome;
}

function applyToUnlisted(state: GroupState, row: Transition, sources: readonly Ipv4[], outcome: RecordOutcome): void {
  if (state.sources.size === 0 || (row.unlistedRunning === 'keep' && row.unlistedBlocked === 'keep')) return;
  const listed = new Set(sources);
  for (const [source, expiryMs] of state.sources) {
    if (listed.has(source)) continue;
    const action = expiryMs === BLOCKED ? row.unlistedBlocked : row.unlistedRunning;
    if (action === 'query') askFor(outcome, source);
    if (action !== 'delete') continue;
    sourceTimers(state).delete(source);
    outcome.changed = true;
  }
}

function applyToListed(
  state: GroupState,
  source: Ipv4,
  row: Transition,
  { context, outcome }: { readonly context: RecordContext; readonly outcome: RecordOutcome },
): void {
  const expiryMs = state.sources.get(source);
  const action = listedAction(row, expiryMs);
  if (action === 'keep') return;
  if (expiryMs === undefined && state.sources.size >= context.sourceLimit) {
    // Safe in every row: an INCLUDE source is refused as a new entry must be; in EXCLUDE mode a source without a record is forwarded,
    // so what hosts asked to exclude still arrives (a nuisance), and what they asked for does too (never a black hole).
    outcome.refusedSources += 1;
    return;
  }
  if (action === 'query' || action === 'inherit-and-query') askFor(outcome, source);
  const newExpiryMs = timerAfter(action, state, context);
  if (newExpiryMs === undefined) return;
  sourceTimers(state).set(source, newExpiryMs);
  outcome.changed ||= expiryMs === undefined || (expiryMs === BLOCKED) !== (newExpiryMs === BLOCKED);
}

function askFor(outcome: RecordOutcome, source: Ipv4): void {
  if (outcome.querySources === NO_SOURCES) outcome.querySources = [source];
  else (outcome.querySources as Ipv4[]).push(source);
}

function listedAction(row: Transition, expiryMs: number | undefined): SourceAction {
  if (expiryMs === undefined) return row.listedUnknown;
  return expiryMs === BLOCKED ? row.listedBlocked : row.listedRunning;
}

/** undefined: the timer stays as it is. */
function timerAfter(action: SourceAction, state: GroupState, context: RecordContext): number | undefined {
  switch (action) {
    case 'refresh':
      return context.nowMs + context.groupMembershipIntervalMs;
    case 'block':
      return BLOCKED;
    case 'inherit-and-query':
      return state.groupExpiryMs;
    default:
      return undefined;
  }
}

/** Lets every timer run out that is due (§6.2.2, §6.2.3, §6.5). True when the demand changed. */
export function expire(state: GroupState, nowMs: number): boolean {
  const leavesExcludeMode = state.mode === 'exclude' && state.groupExpiryMs <= nowMs;
  if (leavesExcludeMode) state.mode = 'include';
  let changed = leavesExcludeMode;
  for (const [source, expiryMs] of state.sources) {
    if (expiryMs > nowMs) continue;
    if (state.mode === 'include') {
      // §6.5: EXCLUDE(X,Y) becomes INCLUDE(X), Y is deleted; §6.3: in INCLUDE mode an expired source is deleted.
      sourceTimers(state).delete(source);
      changed = true;
    } else if (expiryMs !== BLOCKED) {
      // §6.3, EXCLUDE and timer zero: stop forwarding, do not remove the record.
      sourceTimers(state).set(source, BLOCKED);
      changed = true;
    }
  }
  return changed;
}

/** When the first timer runs out; undefined when none runs. */
export function firstExpiryMs(state: GroupState): number | undefined {
  let first = state.mode === 'exclude' ? state.groupExpiryMs : Infinity;
  for (const expiryMs of state.sources.values()) {
    if (expiryMs !== BLOCKED && expiryMs < first) first = expiryMs;
  }
  return first === Infinity ? undefined : first;
}

/** §6.6.1, Q(G): the group timer is lowered, never raised. */
export function lowerGroupTimer(state: GroupState, expiryMs: number): void {
  state.groupExpiryMs = Math.min(state.groupExpiryMs, expiryMs);
}

/** §6.6.1, Q(G,A): running timers of these sources are lowered, never raised. */
export function lowerSourceTimers(state: GroupState, sources: readonly Ipv4[], expiryMs: number): void {
  for (const source of sources) {
    const current = state.sources.get(source);
    if (current !== undefined && current > expiryMs) sourceTimers(state).set(source, expiryMs);
  }
}

/** All timers that run for longer than until `afterMs` run `byMs` longer. */
export function extendTimers(state: GroupState, afterMs: number, byMs: number): void {
  if (state.groupExpiryMs > afterMs) state.groupExpiryMs += byMs;
  for (const [source, expiryMs] of state.sources) {
    if (expiryMs > afterMs) sourceTimers(state).set(source, expiryMs + byMs);
  }
}

function sourceTimers(state: GroupState): Map<Ipv4, number> {
  if (state.sources === NO_SOURCE_TIMERS) state.sources = new Map();
  return state.sources as Map<Ipv4, number>;
}
