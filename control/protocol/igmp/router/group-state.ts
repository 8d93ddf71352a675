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

export interface GroupState {
  mode: FilterMode;
  /** When the group timer runs out. Meaningful in EXCLUDE mode only. */
  groupExpiryMs: number;
  /** When each source timer runs out, or BLOCKED. */
  readonly sources: Map<Ipv4, number>;
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
  readonly querySources: Ipv4[];
  /** Send Q(G), from the querier. */
  readonly queryGroup: boolean;
  /** Sources that found no place under the limit. */
  refusedSources: number;
}

/** INCLUDE({}): what a group is before its first record. */
export function emptyGroupState(): GroupState {
  return { mode: 'include', groupExpiryMs: 0, sources: new Map() };
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
  const listed = new Set(sources);
  const outcome: RecordOutcome = {
    changed: row.nextMode !== state.mode,
    querySources: [],
    queryGroup: row.queryGroup,
    refusedSources: 0,
  };
  // Deletions first: what the record forgets makes room under the limit for what it names.
  applyToUnlisted(state, row, listed, outcome);
  const rowContext = { ...context, row };
  for (const source of listed) applyToListed(state, source, rowContext, outcome);
  state.mode = row.nextMode;
  if (row.refreshGroupTimer) state.groupExpiryMs = context.nowMs + context.groupMembershipIntervalMs;
  return outcome;
}

interface RowContext extends RecordContext {
  readonly row: Transition;
}

function applyToUnlisted(state: GroupState, row: Transition, listed: ReadonlySet<Ipv4>, outcome: RecordOutcome): void {
  if (row.unlistedRunning === 'keep' && row.unlistedBlocked === 'keep') return;
  for (const [source, expiryMs] of state.sources) {
    if (listed.has(source)) continue;
    const action = expiryMs === BLOCKED ? row.unlistedBlocked : row.unlistedRunning;
    if (action === 'query') outcome.querySources.push(source);
    if (action !== 'delete') continue;
    state.sources.delete(source);
    outcome.changed = true;
  }
}

function applyToListed(state: GroupState, source: Ipv4, context: RowContext, outcome: RecordOutcome): void {
  const expiryMs = state.sources.get(source);
  const action = listedAction(context.row, expiryMs);
  if (action === 'keep') return;
  if (expiryMs === undefined && state.sources.size >= context.sourceLimit) {
    // Safe in every row: an INCLUDE source is refused as a new entry must be; in EXCLUDE mode a source without a record is forwarded,
    // so what hosts asked to exclude still arrives (a nuisance), and what they asked for does too (never a black hole).
    outcome.refusedSources += 1;
    return;
  }
  if (action === 'query' || action === 'inherit-and-query') outcome.querySources.push(source);
  const newExpiryMs = timerAfter(action, state, context);
  if (newExpiryMs === undefined) return;
  state.sources.set(source, newExpiryMs);
  outcome.changed ||= expiryMs === undefined || (expiryMs === BLOCKED) !== (newExpiryMs === BLOCKED);
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
      state.sources.delete(source);
      changed = true;
    } else if (expiryMs !== BLOCKED) {
      // §6.3, EXCLUDE and timer zero: stop forwarding, do not remove the record.
      state.sources.set(source, BLOCKED);
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
    if (current !== undefined && current > expiryMs) state.sources.set(source, expiryMs);
  }
}
