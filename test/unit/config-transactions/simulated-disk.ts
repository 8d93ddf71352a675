/**
 * A file system in memory that knows what a power failure takes: contents that were not synced, and names that were not synced with their
 * folder. Every call counts, and may be made to fail or to be the last one.
 */
import { dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../../../control/config/file-system';

interface Inode {
  content: Buffer;
  durable: Buffer | undefined;
}

/** The process is gone: nothing after this call happened. */
export class Crash extends Error {}

export class SimulatedDisk implements FileSystem {
  /** As the process sees them. */
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  calls = 0;
  /** The call with this number fails, with this error. */
  failure: { readonly at: number; readonly error: Error; readonly forGood?: boolean } | undefined;

  async mkdir(): Promise<void> {
    this.#step();
  }

  async readdir(path: string): Promise<string[]> {
    this.#step();
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((name) => name.slice(path.length + 1));
  }

  async read(path: string): Promise<Buffer> {
    this.#step();
    return Buffer.from(this.#inode(path).content);
  }

  async create(path: string): Promise<OpenFile> {
    this.#step();
    if (this.#names.has(path)) throw errno('EEXIST', path);
    const inode: Inode = { content: Buffer.alloc(0), durable: undefined };
    this.#names.set(path, inode);
    return {
      write: async (bytes) => {
        // A write that is cut short leaves a part.
        if (this.#willFail()) inode.content = Buffer.from(bytes.subarray(0, bytes.length / 2));
        this.#step();
        inode.content = Buffer.from(bytes);
      },
      sync: async () => {
        this.#step();
        inode.durable = inode.content;
      },
      close: async () => this.#step(),
    };
  }

  async link(from: string, to: string): Promise<void> {
    this.#step();
    const inode = this.#inode(from);
    if (this.#names.has(to)) throw errno('EEXIST', to);
    this.#names.set(to, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  }

  async unlink(path: string): Promise<void> {
    this.#step();
    this.#inode(path);
    this.#names.delete(path);
  }

  async syncFolder(): Promise<void> {
    this.#step();
    this.#durableNames = new Map(this.#names);
  }

  /** The process was killed: what it wrote stays. */
  afterKill(): SimulatedDisk {
    const disk = new SimulatedDisk();
    disk.#names = copyOf(this.#names, ({ content }) => content);
    disk.#durableNames = new Map(disk.#names);
    return disk;
  }

  /** The power failed. `keeps` decides for each name and content that was not synced whether it made it to the disk all the same. */
  afterPowerFailure(keeps: () => boolean): SimulatedDisk {
    const names = new Map(this.#durableNames);
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const inode = this.#names.get(path);
      if (inode === this.#durableNames.get(path) || !keeps()) continue;
      if (inode === undefined) names.delete(path);
      else names.set(path, inode);
    }
    const disk = new SimulatedDisk();
    disk.#names = copyOf(names, ({ content, durable }) => durable ?? (keeps() ? content : Buffer.alloc(0)));
    disk.#durableNames = new Map(disk.#names);
    return disk;
  }

  names(): string[] {
    return [...this.#names.keys()].sort();
  }

  damage(path: string, change: (content: Buffer) => Buffer): void {
    const inode = this.#inode(path);
    this.#names.set(path, { content: change(Buffer.from(inode.content)), durable: undefined });
  }

  remove(path: string): void {
    this.#names.delete(path);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno('ENOENT', path);
    return inode;
  }

  #willFail(): boolean {
    return this.failure !== undefined && this.calls === this.failure.at;
  }

  #step(): void {
    const { failure } = this;
    const call = this.calls++;
    if (failure !== undefined && (call === failure.at || (failure.forGood === true && call > failure.at))) throw failure.error;
  }
}

export function errno(code: string, path = ''): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code });
}

function copyOf(names: ReadonlyMap<string, Inode>, contentOf: (inode: Inode) => Buffer): Map<string, Inode> {
  const copies = new Map<Inode, Inode>();
  return new Map(
    [...names].map(([path, inode]) => {
      const content = contentOf(inode);
      const copy = copies.get(inode) ?? { content, durable: content };
      copies.set(inode, copy);
      return [path, copy];
    }),
  );
}
