/**
 * What a request to change the configuration leads to, by the state it meets. Pure: decisions are data, ConfigManager carries them out.
 *
 *               apply, rollback, reload                      apply, rollback with confirm_timeout
 *     settled ───────────────────────────> settled           settled ──────────────────────────────> unconfirmed
 *     unconfirmed ── confirm ──> settled (the new one)       unconfirmed ── deadline, rollback ──> settled (the one before)
 */
import { applied, awaiting, notApplied, released, type Ledger } from './ledger';
import { ConfigRefusal } from './refusal';
import type { Content, Revision } from './revision';

export type Mode = 'file' | 'api';

export interface Running extends Content {
  /** 0: read from the file, or nothing was applied yet. */
  readonly revision: number;
  /** Of the request that made it; "". */
  readonly requestId: string;
}

export interface Settled {
  /** Who decides. */
  readonly mode: Mode;
  readonly running: Running;
}

export interface TransactionState extends Settled {
  readonly unconfirmed:
    | {
        readonly deadlineMs: number;
        readonly deadlineWallMs: number;
        /** What comes back. */
        readonly before: Settled;
      }
    | undefined;
}

export interface Times {
  readonly nowMs: number;
  readonly nowWallMs: number;
}

export interface ApplyRequest {
  readonly content: Content;
  /** "": whatever runs is replaced. */
  readonly etag: string;
  readonly validateOnly: boolean;
  readonly requestId: string;
  readonly comment: string;
  readonly author: string;
  readonly confirmTimeoutMs: number | undefined;
  readonly takeover: boolean;
}

/** Steps in this order; each one is done when the next begins. */
export interface Plan {
  /** To be kept on disk. */
  readonly keep: Revision | undefined;
  /** To be on disk when the router follows, but not in place. */
  readonly ledger: Ledger | undefined;
  /** What the router is to follow. */
  readonly settled: Settled;
  readonly confirmTimeoutMs: number | undefined;
  /** Instead of `ledger`, when the router refuses. */
  readonly ledgerIfRefused: Ledger | undefined;
}

export type Decision =
  | { readonly kind: 'refuse'; readonly refusal: ConfigRefusal }
  /** Only said, or so already. */
  | { readonly kind: 'answer' }
  | { readonly kind: 'carry out'; readonly plan: Plan };

const ANSWER: Decision = { kind: 'answer' };

export interface Situation {
  readonly state: TransactionState;
  readonly ledger: Ledger;
  /** The file that the daemon was started with; "". */
  readonly file: string;
}

export function decideApply({ state, ledger, file }: Situation, request: ApplyRequest, nowWallMs: number): Decision {
  const { content, confirmTimeoutMs, validateOnly } = request;
  if (isRepeated(state, request)) return ANSWER;
  const refusal = staleFault(state, request) ?? (validateOnly ? undefined : unconfirmedFault(state) ?? fileFault(state, request, file));
  if (refusal !== undefined) return { kind: 'refuse', refusal };
  const isUnchanged = content.etag === state.running.etag;
  if (validateOnly || (isUnchanged && state.mode === 'api')) return ANSWER;
  const id = ledger.lastRevision + 1;
  const { author, comment, requestId } = request;
  const takenOverFrom = state.mode === 'file' ? file : ledger.takenOverFrom;
  return {
    kind: 'carry out',
    plan: {
      keep: { ...content, id, createdWallMs: nowWallMs, author, comment, requestId },
      ledger:
        confirmTimeoutMs === undefined ? applied(ledger, id, takenOverFrom) : awaiting(ledger, id, nowWallMs + confirmTimeoutMs),
      settled: { mode: 'api', running: { ...content, revision: id, requestId } },
      confirmTimeoutMs,
      ledgerIfRefused: notApplied(ledger, id, 'failed'),
    },
  };
}

/** `content`: of the file as it is now. */
export function decideReload(
  { state, ledger, file }: Situation,
  content: Content,
  { validateOnly, takeover }: { readonly validateOnly: boolean; readonly takeover: boolean },
): Decision {
  const held = state.mode === 'api' && !takeover ? apiFault(file) : undefined;
  const refusal = validateOnly ? undefined : unconfirmedFault(state) ?? held;
  if (refusal !== undefined) return { kind: 'refuse', refusal };
  if (validateOnly || (state.mode === 'file' && content.etag === state.running.etag)) return ANSWER;
  const settled: Settled = { mode: 'file', running: { ...content, revision: 0, requestId: '' } };
  const isRelease = state.mode === 'api';
  return {
    kind: 'carry out',
    plan: { keep: undefined, ledger: isRelease ? released(ledger) : undefined, settled, confirmTimeoutMs: undefined, ledgerIfRefused: undefined },
  };
}

/** `revision` 0: the one that waits. Confirming once more what is confirmed is fine: the first answer may have been lost. */
export function decideConfirm({ state, ledger, file }: Situation, revision: number): Decision {
  const { running, unconfirmed } = state;
  if (unconfirmed === undefined) {
    if (revision !== 0 && revision === running.revision) return ANSWER;
    return refuse('NOTHING_TO_CONFIRM', `nothing waits to be confirmed${revision === 0 ? '' : `; revision ${revision} does not run`}`);
  }
  if (revision !== 0 && revision !== running.revision) {
    return refuse('NOTHING_TO_CONFIRM', `revision ${running.revision} waits to be confirmed, not ${revision}`);
  }
  const takenOverFrom = unconfirmed.before.mode === 'file' ? file : ledger.takenOverFrom;
  return {
    kind: 'carry out',
    plan: {
      keep: undefined,
      ledger: applied(ledger, running.revision, takenOverFrom),
      settled: { mode: state.mode, running },
      confirmTimeoutMs: undefined,
      ledgerIfRefused: undefined,
    },
  };
}

/** `revision`: what RollbackConfig names. undefined: it does not mean what waits to be confirmed. */
export function decideTakeBack({ state, ledger }: Situation, revision: number): Decision | undefined {
  const { unconfirmed, running } = state;
  if (unconfirmed === undefined) return undefined;
  if (revision !== 0 && revision !== unconfirmed.before.running.revision) {
    const fault = unconfirmedFault(state);
    return fault === undefined ? undefined : { kind: 'refuse', refusal: fault };
  }
  return {
    kind: 'carry out',
    plan: {
      keep: undefined,
      ledger: notApplied(ledger, running.revision, 'reverted'),
      settled: unconfirmed.before,
      confirmTimeoutMs: undefined,
      ledgerIfRefused: undefined,
    },
  };
}

/** Rolling back is applying once more, so a file that decides stands in its way as well. */
export function rollbackFault({ state, file }: Situation): ConfigRefusal | undefined {
  return state.mode === 'file' ? fileFault(state, { takeover: false }, file) : undefined;
}

/** The state when the router follows. */
export function carriedOut({ settled, confirmTimeoutMs }: Plan, before: Settled, { nowMs, nowWallMs }: Times): TransactionState {
  if (confirmTimeoutMs === undefined) return { ...settled, unconfirmed: undefined };
  const { mode, running } = before;
  const unconfirmed = { deadlineMs: nowMs + confirmTimeoutMs, deadlineWallMs: nowWallMs + confirmTimeoutMs, before: { mode, running } };
  return { ...settled, unconfirmed };
}

/** It was carried out before xmcastd was started again, and the caller has not heard. */
function isRepeated({ running }: TransactionState, { requestId, content }: ApplyRequest): boolean {
  return requestId !== '' && running.requestId === requestId && running.etag === content.etag;
}

function staleFault({ running }: TransactionState, { etag }: ApplyRequest): ConfigRefusal | undefined {
  if (etag === '' || etag === running.etag) return undefined;
  const message = `etag ${etag} is not that of the running configuration, ${running.etag}: it was changed meanwhile; read it again`;
  const metadata = { etag, running_etag: running.etag, running_revision: String(running.revision) };
  return new ConfigRefusal('ETAG_MISMATCH', message, { metadata });
}

function unconfirmedFault({ running, unconfirmed }: TransactionState): ConfigRefusal | undefined {
  if (unconfirmed === undefined) return undefined;
  const message = `revision ${running.revision} waits to be confirmed; confirm it or roll it back first`;
  return new ConfigRefusal('UNCONFIRMED_REVISION', message, { metadata: { revision: String(running.revision) } });
}

function fileFault({ mode }: TransactionState, { takeover }: { readonly takeover: boolean }, file: string): ConfigRefusal | undefined {
  if (mode === 'api' || takeover) return undefined;
  const message = `${file} decides here: change the file and reload it, or apply with takeover`;
  return new ConfigRefusal('FILE_MANAGED', message, { metadata: { file } });
}

function apiFault(file: string): ConfigRefusal {
  return new ConfigRefusal('API_MANAGED', `the API decides here, not ${file}: reload with takeover to let the file decide again`, {
    metadata: { file },
  });
}

function refuse(reason: 'NOTHING_TO_CONFIRM', message: string): Decision {
  return { kind: 'refuse', refusal: new ConfigRefusal(reason, message) };
}
