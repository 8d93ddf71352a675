/**
 * The state folder: one file for each kept revision, and the ledger. Reads and writes them; what they mean for the router is decided
 * elsewhere. A call that rejects with XM_STATE has changed nothing that a restart would see, commit() excepted: after that either the old
 * ledger or the new one is there.
 */
import { join } from 'node:path';
import { errorCode, errorText, type XmcastError } from '../errors';
import type { Log } from '../log';
import { prepareFile, removeIfThere, UNFINISHED, writeFile, type PreparedFile } from './durable-file';
import type { FileSystem } from './file-system';
import { decodeLedger, EMPTY_LEDGER, encodeLedger, keeping, type Ledger } from './ledger';
import { decodeRevision, encodeRevision, type ReadRevision, type Revision } from './revision';
import { attempt, lockFolder, stateError, type LockOptions } from './state-error';

export interface RevisionStoreOptions extends LockOptions {
  readonly files: FileSystem;
  readonly log: Log;
}

/** Kept beside those that a restart needs. */
const KEPT_REVISIONS = 20;
const LEDGER = 'ledger';
/** The one before, should the newest be damaged. */
const OLD_LEDGER = 'ledger.old';
/** A configuration has at most 4 MiB as a file, and less as a message; its canonical text is longer by the names of its keys. */
const MAX_REVISION_BYTES = 64 * 1024 * 1024;
const FOLDER_MODE = 0o700;

export class RevisionStore {
  readonly folder: string;
  readonly #options: RevisionStoreOptions;
  readonly #lock: { close(): void };
  #ledger: Ledger = EMPTY_LEDGER;

  private constructor(options: RevisionStoreOptions, lock: { close(): void }) {
    this.folder = options.folder;
    this.#options = options;
    this.#lock = lock;
  }

  /** Makes the folder if it has to, and holds it until close(). */
  static async open(options: RevisionStoreOptions): Promise<RevisionStore> {
    const { folder, files } = options;
    await attempt(`make the state folder ${folder}`, () => files.mkdir(folder, FOLDER_MODE));
    const store = new RevisionStore(options, lockFolder(options));
    try {
      await store.#recover();
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** As it was last committed. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  close(): void {
    this.#lock.close();
  }

  /** Durable when it resolves. */
  async write(revision: Revision): Promise<void> {
    const { files } = this.#options;
    await attempt(`keep revision ${revision.id} in ${this.folder}`, () =>
      writeFile(files, this.folder, revisionName(revision.id), encodeRevision(revision)),
    );
  }

  /** Everything but the last step, which is to be taken when the router follows. */
  async prepare(ledger: Ledger): Promise<PreparedFile> {
    const { files } = this.#options;
    const task = `write the ledger of ${this.folder}`;
    const kept = keeping(ledger, new Set(await this.ids()));
    const prepared = await attempt(task, () => prepareFile(files, this.folder, LEDGER, encodeLedger(kept)));
    try {
      await attempt(task, () => this.#keepOldLedger());
    } catch (error) {
      await prepared.discard();
      throw error;
    }
    const commit = async (): Promise<void> => {
      await attempt(task, () => prepared.commit());
      this.#ledger = kept;
    };
    return { commit, discard: () => prepared.discard() };
  }

  async writeLedger(ledger: Ledger): Promise<void> {
    const prepared = await this.prepare(ledger);
    await prepared.commit();
  }

  async read(id: number): Promise<ReadRevision> {
    try {
      return decodeRevision(await this.#options.files.read(join(this.folder, revisionName(id)), MAX_REVISION_BYTES));
    } catch (error) {
      return { revision: undefined, fault: `cannot be read: ${errorText(error)}` };
    }
  }

  /** Of the files there are, the newest first. */
  async ids(): Promise<number[]> {
    const names = await attempt(`list the state folder ${this.folder}`, () => this.#options.files.readdir(this.folder));
    return names.flatMap(revisionId).sort((left, right) => right - left);
  }

  /** The newest good one below `before` that ran once. Damaged ones are skipped with a warning. */
  newestGood(before: number): Promise<Revision | undefined> {
    const { fates } = this.#ledger;
    return this.#newest((id) => id < before && fates.get(id) === 'applied');
  }

  /** Removes what is older than the newest twenty, but nothing that a restart needs. Never rejects. */
  async prune(): Promise<void> {
    const { files, log } = this.#options;
    try {
      const { current, unconfirmed } = this.#ledger;
      const old = (await this.ids()).slice(KEPT_REVISIONS).filter((id) => id !== current && id !== unconfirmed?.revision);
      for (const id of old) await files.unlink(join(this.folder, revisionName(id)));
      if (old.length > 0) await files.syncFolder(this.folder);
    } catch (error) {
      log.warn({}, `remove old revisions from ${this.folder}: ${errorText(error)}`);
    }
  }

  async #recover(): Promise<void> {
    const { files, log } = this.#options;
    const ids = await this.ids();
    const found = await readLedgers(this.#options);
    this.#ledger = { ...found, lastRevision: Math.max(found.lastRevision, ...ids) };
    for (const name of [LEDGER, ...ids.map(revisionName)]) {
      await removeIfThere(files, join(this.folder, name + UNFINISHED)).catch((error: unknown) =>
        log.warn({}, `remove what was left unfinished in ${this.folder}: ${errorText(error)}`),
      );
    }
    if (found !== EMPTY_LEDGER || ids.length === 0) return;
    const newest = await this.#newest(() => true);
    if (newest === undefined) return;
    log.warn({ revision: newest.id }, `the ledger in ${this.folder} is lost; the newest good revision is ${newest.id}`);
    this.#ledger = { ...this.#ledger, current: newest.id };
  }

  async #newest(accepts: (id: number) => boolean): Promise<Revision | undefined> {
    for (const id of (await this.ids()).filter(accepts)) {
      const { revision, fault } = await this.read(id);
      if (revision !== undefined) return revision;
      this.#options.log.warn({ revision: id }, `revision ${id} in ${this.folder} ${fault}; skipped`);
    }
    return undefined;
  }

  async #keepOldLedger(): Promise<void> {
    const { files } = this.#options;
    const old = join(this.folder, OLD_LEDGER);
    await removeIfThere(files, old);
    await files.link(join(this.folder, LEDGER), old).catch((error: unknown) => {
      // The first ledger has none before it.
      if (errorCode(error) !== 'ENOENT') throw error;
    });
  }
}

/** Takes no lock and writes nothing: for a daemon that only has to know whether its file was taken over. */
export async function readLedgers({ folder, files, log }: Omit<RevisionStoreOptions, 'lock'>): Promise<Ledger> {
  let unreadable: XmcastError | undefined;
  for (const name of [LEDGER, OLD_LEDGER]) {
    const path = join(folder, name);
    try {
      const { ledger, fault } = decodeLedger(await files.read(path, MAX_REVISION_BYTES));
      if (ledger !== undefined) return ledger;
      log.warn({}, `${path} ${fault}; ${name === LEDGER ? 'the one before is used' : 'it is left aside'}`);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') continue;
      unreadable ??= stateError(`read ${path}`, error);
    }
  }
  if (unreadable !== undefined) throw unreadable;
  return EMPTY_LEDGER;
}

function revisionName(id: number): string {
  return `revision-${id}`;
}

function revisionId(name: string): number[] {
  const digits = /^revision-([1-9][0-9]{0,9})$/.exec(name)?.[1];
  return digits === undefined ? [] : [Number(digits)];
}
