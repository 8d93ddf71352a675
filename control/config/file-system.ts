/**
 * The system calls that keeping configurations needs, as an interface: tests let each of them fail, or lose what was not synced.
 */
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';

export interface FileSystem {
  /** Makes the folders above it too. Fine when it is there already. */
  mkdir(path: string, mode: number): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** At most `limit` bytes; a longer file is EFBIG. */
  read(path: string, limit: number): Promise<Buffer>;
  /** A file that must not exist yet (O_EXCL), and that no symbolic link leads to. */
  create(path: string, mode: number): Promise<OpenFile>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** After it, what was renamed, linked or removed in the folder stays so when the power fails. */
  syncFolder(path: string): Promise<void>;
}

export interface OpenFile {
  /** All of it. */
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const nodeFileSystem: FileSystem = {
  mkdir: async (path, mode) => void (await mkdir(path, { recursive: true, mode })),
  readdir: (path) => readdir(path),
  read: async (path, limit) => {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    return readAtMost(file, limit).finally(() => file.close());
  },
  create: async (path, mode) => {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
    return { write: (bytes) => file.writeFile(bytes), sync: () => file.sync(), close: () => file.close() };
  },
  link: (from, to) => link(from, to),
  rename: (from, to) => rename(from, to),
  unlink: (path) => unlink(path),
  syncFolder: async (path) => {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await folder.sync().finally(() => folder.close());
  },
};

async function readAtMost(file: FileHandle, limit: number): Promise<Buffer> {
  const { size } = await file.stat();
  if (size > limit) throw Object.assign(new Error(`EFBIG: ${size} bytes, at most ${limit} are read`), { code: 'EFBIG' });
  return file.readFile();
}
