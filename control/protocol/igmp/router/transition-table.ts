/**
 * RFC 3376 §6.4.1 and §6.4.2 as data: for a filter-mode and a record type, what becomes of each kind of source. Only the tables;
 * group-state.ts carries them out.
 *
 * The RFC writes set expressions. Here every source falls into exactly one class (in the record or not, timer running, timer zero,
 * or unknown), and a row names the action of each class: INCLUDE(A) TO_EX(B) → EXCLUDE(A*B, B-A) reads as
 * A*B (listed, running) 'query', B-A (listed, unknown) 'block', A-B (unlisted, running) 'delete'.
 */
import { RecordType } from '../message';

export type FilterMode = 'include' | 'exclude';

export type SourceAction =
  /** Nothing happens to it; an unknown source stays unknown. */
  | 'keep'
  /** Timer = GMI. */
  | 'refresh'
  /** Timer = 0: suggest not to forward. */
  | 'block'
  /** Send Q(G, source); the timer falls with the query. */
  | 'query'
  /** Timer = Group Timer as it was before the record, then Send Q(G, source). */
  | 'inherit-and-query'
  | 'delete';

export interface Transition {
  readonly nextMode: FilterMode;
  readonly listedRunning: SourceAction;
  readonly listedBlocked: SourceAction;
  readonly listedUnknown: SourceAction;
  readonly unlistedRunning: SourceAction;
  readonly unlistedBlocked: SourceAction;
  /** Group Timer = GMI. */
  readonly refreshGroupTimer: boolean;
  /** Send Q(G). */
  readonly queryGroup: boolean;
}

type TransitionTable = Readonly<Record<RecordType, Transition>>;

const UNCHANGED = {
  listedRunning: 'keep',
  listedBlocked: 'keep',
  listedUnknown: 'keep',
  unlistedRunning: 'keep',
  unlistedBlocked: 'keep',
  refreshGroupTimer: false,
  queryGroup: false,
} as const;

/** (A)=GMI, in both modes: somebody wants these sources. */
const REQUESTED = { ...UNCHANGED, listedRunning: 'refresh', listedBlocked: 'refresh', listedUnknown: 'refresh' } as const;

/** What every record in EXCLUDE mode does to what it does not list. */
const FORGET_UNLISTED = { unlistedRunning: 'delete', unlistedBlocked: 'delete', refreshGroupTimer: true } as const;

/** No source of INCLUDE(A) has a timer of zero: the 'blocked' columns are without effect in this table. */
const INCLUDE: TransitionTable = {
  [RecordType.MODE_IS_INCLUDE]: { ...REQUESTED, nextMode: 'include' },
  [RecordType.MODE_IS_EXCLUDE]: { ...UNCHANGED, ...FORGET_UNLISTED, nextMode: 'exclude', listedUnknown: 'block' },
  [RecordType.ALLOW_NEW_SOURCES]: { ...REQUESTED, nextMode: 'include' },
  [RecordType.BLOCK_OLD_SOURCES]: { ...UNCHANGED, nextMode: 'include', listedRunning: 'query' },
  [RecordType.CHANGE_TO_EXCLUDE_MODE]: {
    ...UNCHANGED,
    ...FORGET_UNLISTED,
    nextMode: 'exclude',
    listedRunning: 'query',
    listedUnknown: 'block',
  },
  [RecordType.CHANGE_TO_INCLUDE_MODE]: { ...REQUESTED, nextMode: 'include', unlistedRunning: 'query' },
};

const EXCLUDE: TransitionTable = {
  [RecordType.MODE_IS_INCLUDE]: { ...REQUESTED, nextMode: 'exclude' },
  [RecordType.MODE_IS_EXCLUDE]: { ...UNCHANGED, ...FORGET_UNLISTED, nextMode: 'exclude', listedUnknown: 'refresh' },
  [RecordType.ALLOW_NEW_SOURCES]: { ...REQUESTED, nextMode: 'exclude' },
  [RecordType.BLOCK_OLD_SOURCES]: {
    ...UNCHANGED,
    nextMode: 'exclude',
    listedRunning: 'query',
    listedUnknown: 'inherit-and-query',
  },
  [RecordType.CHANGE_TO_EXCLUDE_MODE]: {
    ...UNCHANGED,
    ...FORGET_UNLISTED,
    nextMode: 'exclude',
    listedRunning: 'query',
    listedUnknown: 'inherit-and-query',
  },
  [RecordType.CHANGE_TO_INCLUDE_MODE]: { ...REQUESTED, nextMode: 'exclude', unlistedRunning: 'query', queryGroup: true },
};

export const TRANSITIONS: Readonly<Record<FilterMode, TransitionTable>> = { include: INCLUDE, exclude: EXCLUDE };
