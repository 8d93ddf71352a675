/**
 * What ListRevisions shows of the state folder.
 */
import type { RevisionStore } from './revision-store';
import type { TransactionState } from './transaction';

export type RevisionState = 'current' | 'unconfirmed' | 'applied' | 'reverted' | 'failed' | 'damaged';

export interface ListedRevision {
  readonly id: number;
  readonly state: RevisionState;
  /** undefined when the file is damaged. */
  readonly createdWallMs: number | undefined;
  readonly etag: string;
  readonly comment: string;
  readonly author: string;
  /** "" unless damaged. */
  readonly problem: string;
}

/** The newest first. */
export async function listRevisions(store: RevisionStore, state: TransactionState): Promise<ListedRevision[]> {
  const listed: ListedRevision[] = [];
  for (const id of await store.ids()) {
    const { revision, fault } = await store.read(id);
    if (revision === undefined) {
      listed.push({ id, state: 'damaged', createdWallMs: undefined, etag: '', comment: '', author: '', problem: fault });
      continue;
    }
    const { createdWallMs, etag, comment, author } = revision;
    listed.push({ id, state: stateOf(id, store, state), createdWallMs, etag, comment, author, problem: '' });
  }
  return listed;
}

function stateOf(id: number, { ledger }: RevisionStore, { running, unconfirmed }: TransactionState): RevisionState {
  if (unconfirmed !== undefined && id === running.revision) return 'unconfirmed';
  if (id === running.revision) return 'current';
  return ledger.fates.get(id) ?? 'failed';
}
