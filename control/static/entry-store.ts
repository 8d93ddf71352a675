/**
 * Static entries on disk: a snapshot of all, and a file for each update since. Each file is there whole or not at all, so whenever the
 * process ends a restart finds all updates that were answered, and of the one under way all or nothing. What the bytes of an update mean is
 * decided elsewhere.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { removeIfThere, UNFINISHED, writeFile } from '../config/durable-file';
import type { FileSystem } from '../config/file-system';
import { sealOf, unsealBytes } from '../config/sealed-file';
import { attempt, lockFolder, stateError, type LockOptions } from '../config/state-error';
import { errorCode, errorText } from '../errors';
import type { Log } from '../log';
import { forEachPaced } from './pace';

export interface EntryStoreOptions extends LockOptions {
  readonly files: FileSystem;
  readonly log: Log;
}

/** What one owner asked for. */
export interface StoredUpdate {
  readonly owner: string;
  readonly revision: number;
  /** What holds from then on; undefined: none. */
  readonly leaseMs: number | undefined;
  /** An UpdateStaticEntriesRequest in pieces. */
  readonly bytes: readonly Uint8Array[];
}

/** All owners, one after the other, make a snapshot. */
export type Snapshot = readonly StoredUpdate[];

/** An update is read whole: no larger than a snapshot of a million entries. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const FOLDER_MODE = 0o700;
const KINDS = { update: 'xmcast-static-update', snapshot: 'xmcast-static-snapshot' } as const;
type Kind = keyof typeof KINDS;
/** A new snapshot is due after so many updates, or when they are twice as large as the snapshot, and larger than this. */
const MANY_UPDATES = 256;
const LARGE_UPDATES = 16 * 1024 * 1024;

interface Name {
  readonly kind: Kind;
  readonly revision: number;
}

interface Head extends Omit<StoredUpdate, 'bytes'> {
  readonly length: number;
}

export class EntryStore {
  readonly #options: EntryStoreOptions;
  readonly #lock: { close(): void };
  #snapshot = { revision: 0, bytes: 0 };
  #since = { updates: 0, bytes: 0 };
  #lastRevision = 0;

  private constructor(options: EntryStoreOptions, lock: { close(): void }) {
    this.#options = options;
    this.#lock = lock;
  }

  /** undefined: nothing was ever stored. Makes nothing. */
  static async openIfThere(options: EntryStoreOptions): Promise<EntryStore | undefined> {
    try {
      await options.files.readdir(options.folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw stateError(`look into ${options.folder}`, error);
    }
    return new EntryStore(options, lockFolder(options));
  }

  /** Makes the folder, and holds it until close(). */
  static async make(options: EntryStoreOptions): Promise<EntryStore> {
    await attempt(`make the folder ${options.folder}`, () => options.files.mkdir(options.folder, FOLDER_MODE));
    return new EntryStore(options, lockFolder(options));
  }

  /** Used up, whatever became of the file. */
  get lastRevision(): number {
    return this.#lastRevision;
  }

  /** In the order in which they are to be carried out. A damaged snapshot leads to the one before; a damaged update is left out. */
  async load(follow: (update: StoredUpdate) => Promise<void>): Promise<void> {
    const names = await this.#names();
    this.#lastRevision = names.reduce((last, { revision }) => Math.max(last, revision), 0);
    await this.#removeUnfinished();
    const snapshots = names.filter(({ kind }) => kind === 'snapshot').sort((a, b) => b.revision - a.revision);
    for (const name of snapshots) {
      const read = await this.#read(name);
      if (read === undefined) continue;
      this.#snapshot = { revision: name.revision, bytes: read.bytes };
      for (const update of read.updates) await follow(update);
      break;
    }
    const later = names.filter(({ kind, revision }) => kind === 'update' && revision > this.#snapshot.revision);
    for (const name of later.sort((a, b) => a.revision - b.revision)) {
      const read = await this.#read(name);
      this.#since = { updates: this.#since.updates + 1, bytes: this.#since.bytes + (read?.bytes ?? 0) };
      for (const update of read?.updates ?? []) await follow(update);
    }
  }

  /** Durable when it resolves. Rejects with XM_STATE: then a restart does not see it, unless the file system fails a second time. */
  async append(update: StoredUpdate): Promise<void> {
    const name: Name = { kind: 'update', revision: update.revision };
    this.#lastRevision = Math.max(this.#lastRevision, update.revision);
    const bytes = await this.#write(name, [update]).catch(async (error: unknown) => {
      const { files, folder } = this.#options;
      // It may have got its name already.
      await removeIfThere(files, join(folder, fileName(name))).catch(() => undefined);
      throw error;
    });
    this.#since = { updates: this.#since.updates + 1, bytes: this.#since.bytes + bytes };
  }

  get isSnapshotDue(): boolean {
    const { updates, bytes } = this.#since;
    return updates >= MANY_UPDATES || bytes > Math.max(LARGE_UPDATES, 2 * this.#snapshot.bytes);
  }

  /** Of everything up to this revision. What it replaces goes, but for the generation before. Never rejects. */
  async replaceBy(snapshot: Snapshot, revision: number): Promise<void> {
    const { log, files, folder } = this.#options;
    try {
      const before = this.#snapshot.revision;
      const bytes = await this.#write({ kind: 'snapshot', revision }, snapshot);
      [this.#snapshot, this.#since] = [{ revision, bytes }, { updates: 0, bytes: 0 }];
      const old = (await this.#names()).filter((name) => (name.kind === 'update' ? name.revision <= before : name.revision < before));
      for (const name of old) await files.unlink(join(folder, fileName(name)));
      if (old.length > 0) await files.syncFolder(folder);
    } catch (error) {
      // The updates are there all the same.
      log.warn({}, `write a snapshot of the static entries: ${errorText(error)}; it is tried again`);
    }
  }

  close(): void {
    this.#lock.close();
  }

  async #write(name: Name, updates: Snapshot): Promise<number> {
    const { files, folder } = this.#options;
    const heads = updates.map(({ bytes, ...head }): Head => ({ ...head, length: bytes.reduce((sum, piece) => sum + piece.length, 0) }));
    const pieces = [Buffer.from(`${JSON.stringify(heads)}\n`), ...updates.flatMap(({ bytes }) => bytes)];
    const hash = createHash('sha256');
    await forEachPaced(inChunks(pieces), (chunk) => hash.update(chunk), 1);
    const content = Buffer.concat([Buffer.from(sealOf(KINDS[name.kind], hash.digest('hex'))), ...pieces]);
    await attempt(`keep ${fileName(name)} in ${folder}`, () => writeFile(files, folder, fileName(name), content));
    return content.length;
  }

  async #read(name: Name): Promise<{ readonly updates: Snapshot; readonly bytes: number } | undefined> {
    const { files, folder, log } = this.#options;
    const path = join(folder, fileName(name));
    const content = await attempt(`read ${path}`, () => files.read(path, MAX_FILE_BYTES));
    const { body, fault } = unsealBytes(KINDS[name.kind], content);
    if (body !== undefined) return { updates: updatesIn(body), bytes: content.length };
    log.error({}, `${path} ${fault}; ${name.kind === 'snapshot' ? 'the one before is used' : 'this change of static entries is left out'}`);
    return undefined;
  }

  async #names(): Promise<Name[]> {
    const { files, folder } = this.#options;
    return (await attempt(`list ${folder}`, () => files.readdir(folder))).flatMap(nameFrom);
  }

  async #removeUnfinished(): Promise<void> {
    const { files, folder, log } = this.#options;
    for (const name of await attempt(`list ${folder}`, () => files.readdir(folder))) {
      if (!name.endsWith(UNFINISHED)) continue;
      await removeIfThere(files, join(folder, name)).catch((error: unknown) =>
        log.warn({}, `remove what was left unfinished in ${folder}: ${errorText(error)}`),
      );
    }
  }
}

/** Only this file writes them, and the checksum says that nobody changed one since. */
function updatesIn(body: Buffer): Snapshot {
  const end = body.indexOf('\n');
  const heads = JSON.parse(body.toString('utf8', 0, end)) as readonly Head[];
  let start = end + 1;
  return heads.map(({ length, ...head }) => {
    const bytes = [body.subarray(start, start + length)];
    start += length;
    return { ...head, leaseMs: head.leaseMs ?? undefined, bytes };
  });
}

const CHUNK = 256 * 1024;

function* inChunks(pieces: readonly Uint8Array[]): Iterable<Uint8Array> {
  for (const piece of pieces) for (let start = 0; start < piece.length; start += CHUNK) yield piece.subarray(start, start + CHUNK);
}

function fileName({ kind, revision }: Name): string {
  return `${kind}-${revision}`;
}

function nameFrom(text: string): Name[] {
  const [, kind, digits] = /^(update|snapshot)-([1-9][0-9]{0,15})$/.exec(text) ?? [];
  return kind === undefined ? [] : [{ kind: kind as Kind, revision: Number(digits) }];
}
