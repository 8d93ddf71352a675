/**
 * Updates as they are kept on disk: what they change when they are read again, and all entries as updates. What was valid once need not be
 * so for a later version; that is left out.
 */
import { xmcast } from '#proto';
import type { Problem } from '../config/settings';
import { problem } from '../config/field-rules';
import { indexPath } from '../config/source-map';
import { errorText } from '../errors';
import { entryMessage, keyFrom, NameLists, type EntryKey, type OwnedEntry } from './entry';
import { checkEntry, keyProblems } from './entry-check';
import { keyOfEntry, ownerOf, type EntryTable } from './entry-table';
import type { Snapshot, StoredUpdate } from './entry-store';
import { forEachPaced } from './pace';
import { cutUpdate, type Pieces } from './update-bytes';

export interface Restored {
  /** Before the puts. */
  readonly drops: readonly EntryKey[];
  readonly puts: readonly OwnedEntry[];
  readonly problems: readonly Problem[];
}

export async function restore({ owner, bytes }: StoredUpdate, table: EntryTable): Promise<Restored> {
  const [puts, drops, problems]: [OwnedEntry[], EntryKey[], Problem[]] = [[], [], []];
  const context = { owner, lists: new NameLists(), surroundings: undefined };
  const { head, upserts, deletes } = cutUpdate(Buffer.concat(bytes));
  if (xmcast.v1.UpdateStaticEntriesRequest.decode(head).replace) {
    await forEachPaced(table.entries(), (entry) => {
      if (ownerOf(entry) === owner) drops.push(keyOfEntry(entry));
    });
  }
  await forEachPiece(deletes, 'deletes', problems, (message, path) => {
    const found = keyProblems(message, path);
    problems.push(...found);
    if (found.length > 0) return;
    const key = keyFrom(message);
    const existing = table.get(key);
    if (existing !== undefined && ownerOf(existing) === owner) drops.push(key);
  });
  await forEachPiece(upserts, 'upserts', problems, (message, path) => {
    const checked = checkEntry(message, () => path, context);
    problems.push(...checked.problems);
    if (checked.entry !== undefined) puts.push(checked.entry);
  });
  return { puts, drops, problems };
}

/** So many entries are one piece of bytes. */
const PER_PIECE = 64;

export async function snapshotOf(table: EntryTable): Promise<Snapshot> {
  const pieces = new Map<string, Uint8Array[]>();
  const collected = new Map<string, xmcast.v1.StaticEntry.$Properties[]>();
  const finish = (owner: string, upserts: xmcast.v1.StaticEntry.$Properties[]): void => {
    pieces.get(owner)?.push(xmcast.v1.UpdateStaticEntriesRequest.encode({ upserts }).finish());
    collected.set(owner, []);
  };
  await forEachPaced(table.entries(), (entry) => {
    const owner = ownerOf(entry);
    if (!pieces.has(owner)) pieces.set(owner, [head(owner)]);
    const upserts = collected.get(owner) ?? [];
    upserts.push(entryMessage(entry));
    collected.set(owner, upserts);
    if (upserts.length >= PER_PIECE) finish(owner, upserts);
  });
  for (const [owner, upserts] of collected) finish(owner, upserts);
  return [...pieces].map(([owner, bytes]) => ({ owner, revision: table.owner(owner)?.revision ?? 0, leaseMs: table.owner(owner)?.leaseMs, bytes }));
}

/** All entries of the owner go. */
export function withdrawal(owner: string, revision: number): StoredUpdate {
  return { owner, revision, leaseMs: undefined, bytes: [head(owner)] };
}

function head(owner: string): Uint8Array {
  return xmcast.v1.UpdateStaticEntriesRequest.encode({ owner, replace: true }).finish();
}

async function forEachPiece<Message>(
  pieces: Pieces<Message>,
  field: string,
  problems: Problem[],
  work: (message: Message, path: string) => void,
): Promise<void> {
  await forEachPaced(Array(pieces.count).keys(), (index) => {
    const path = indexPath(field, index);
    try {
      work(pieces.read(index), path);
    } catch (error) {
      problems.push(problem(path, `cannot be read: ${errorText(error)}`));
    }
  });
}
