/**
 * Follows certificate files as they are replaced on disk. A broken replacement changes nothing: what was there before holds, and the
 * condition says what is wrong until it is put right.
 */
import type { TlsFiles } from '../config/api-settings';
import { errorText } from '../errors';
import type { Log } from '../log';

import { fingerprintOf, readTlsMaterial, type TlsMaterial } from './tls-material';

/** By stat(2) and not by inotify(7): it also sees the swapped links of mounted secrets, and files on any file system. */
const LOOK_INTERVAL_MS = 1000;
const EXPIRY_WARNING_MS = 7 * 86_400_000;

export interface TlsRotationOptions {
  readonly files: TlsFiles;
  readonly log: Log;
  readonly onMaterial: (material: TlsMaterial) => void;
  readonly onFailure: () => void;
  /** Wall time. */
  readonly nowMs: () => number;
}

export class TlsRotation {
  readonly #options: TlsRotationOptions;
  #material: TlsMaterial | undefined;
  #problem: string | undefined;
  /** What the files looked like when they were last read, and when they were last looked at. */
  #read = '';
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: TlsRotationOptions) {
    this.#options = options;
  }

  /** undefined: nothing good has been read yet. */
  get material(): TlsMaterial | undefined {
    return this.#material;
  }

  /** For people, one sentence. undefined: all is well. */
  get condition(): string | undefined {
    if (this.#problem !== undefined) {
      const held = this.#material === undefined ? 'no client can connect over TCP' : 'the certificate before is used';
      return `api.tls: ${this.#problem}; ${held}`;
    }
    if (this.#material === undefined) return undefined;
    const leftMs = this.#material.notAfterMs - this.#options.nowMs();
    if (leftMs > EXPIRY_WARNING_MS) return undefined;
    const end = new Date(this.#material.notAfterMs).toISOString();
    return `api.tls: the certificate ${leftMs > 0 ? 'expires' : 'expired'} at ${end}`;
  }

  /** Reads once and then follows. Rejects with XmcastError when what is there is no good; then it does not follow. */
  async start(): Promise<void> {
    this.#seen = this.#read = await fingerprintOf(this.#options.files);
    this.#take(await readTlsMaterial(this.#options.files));
    this.#follow();
  }

  /** As start(), but waits for good files where there are none. Never rejects. */
  async startAnyway(): Promise<void> {
    this.#seen = await fingerprintOf(this.#options.files);
    await this.#look();
    this.#follow();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  #follow(): void {
    const look = (): void => {
      this.#looking = this.#looking.then(() => this.#look());
    };
    this.#timer = setInterval(look, LOOK_INTERVAL_MS).unref();
  }

  /** Never rejects. Files that differ from the last look are still being written: certificate and key are replaced one after the other. */
  async #look(): Promise<void> {
    const print = await fingerprintOf(this.#options.files);
    const settled = print === this.#seen;
    this.#seen = print;
    if (this.#closed || !settled || (print === this.#read && this.#problem === undefined)) return;
    this.#read = print;
    try {
      const material = await readTlsMaterial(this.#options.files);
      if (this.#closed) return;
      this.#take(material);
      this.#options.log.info({ notAfter: new Date(material.notAfterMs).toISOString() }, 'certificates of the API read');
    } catch (error) {
      this.#fail(errorText(error));
    }
  }

  #take(material: TlsMaterial): void {
    this.#material = material;
    this.#problem = undefined;
    this.#options.onMaterial(material);
  }

  /** Tried again at every look; said once. */
  #fail(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onFailure();
    this.#options.log.error({}, this.condition ?? problem);
  }
}
