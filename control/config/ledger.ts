/**
 * What the state folder says besides the configurations themselves: which one is to run, which one still waits for its confirmation, and
 * what became of the others. Pure. Each function gives the ledger after an event.
 */
import { seal, unseal } from './sealed-file';

const KIND = 'xmcast-ledger';

export type RevisionFate = 'applied' | 'reverted' | 'failed';

export interface Ledger {
  /** Runs after a restart. 0: none yet. */
  readonly current: number;
  /** Runs now unless xmcastd ended meanwhile, in which case `current` does. */
  readonly unconfirmed: { readonly revision: number; readonly deadlineWallMs: number } | undefined;
  /** The API took over from this file: started with it, xmcastd runs `current` all the same. "": none. */
  readonly takenOverFrom: string;
  /** By revision. Without an entry: xmcastd ended while it was applied. */
  readonly fates: ReadonlyMap<number, RevisionFate>;
  /** Numbers up to this one are used up, whatever became of their files. */
  readonly lastRevision: number;
}

export const EMPTY_LEDGER: Ledger = { current: 0, unconfirmed: undefined, takenOverFrom: '', fates: new Map(), lastRevision: 0 };

export function applied(ledger: Ledger, revision: number, takenOverFrom: string): Ledger {
  return { ...settled(ledger, revision, 'applied'), current: revision, takenOverFrom };
}

/** The ledger goes on saying what to run and who decides, until the confirmation. */
export function awaiting(ledger: Ledger, revision: number, deadlineWallMs: number): Ledger {
  return { ...settled(ledger, revision, undefined), unconfirmed: { revision, deadlineWallMs } };
}

export function notApplied(ledger: Ledger, revision: number, fate: 'reverted' | 'failed'): Ledger {
  return settled(ledger, revision, fate);
}

/** The file decides again. */
export function released(ledger: Ledger): Ledger {
  return { ...ledger, takenOverFrom: '' };
}

/** Forgets revisions whose files are gone. */
export function keeping(ledger: Ledger, revisions: ReadonlySet<number>): Ledger {
  return { ...ledger, fates: new Map([...ledger.fates].filter(([id]) => revisions.has(id))) };
}

function settled(ledger: Ledger, revision: number, fate: RevisionFate | undefined): Ledger {
  const fates = new Map(ledger.fates);
  if (fate !== undefined) fates.set(revision, fate);
  return { ...ledger, fates, unconfirmed: undefined, lastRevision: Math.max(ledger.lastRevision, revision) };
}

export function encodeLedger({ fates, ...ledger }: Ledger): Buffer {
  return seal(KIND, `${JSON.stringify({ ...ledger, fates: [...fates] })}\n`);
}

export type ReadLedger = { readonly ledger: Ledger; readonly fault: undefined } | { readonly ledger: undefined; readonly fault: string };

export function decodeLedger(bytes: Buffer): ReadLedger {
  const { body, fault } = unseal(KIND, bytes);
  if (body === undefined) return { ledger: undefined, fault };
  // Only this file writes ledgers, and the checksum says that nobody changed one since.
  const { fates, unconfirmed, ...ledger } = JSON.parse(body) as Omit<Ledger, 'fates'> & { readonly fates: [number, RevisionFate][] };
  return { ledger: { ...ledger, unconfirmed, fates: new Map(fates) }, fault: undefined };
}
