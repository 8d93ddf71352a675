/**
 * Files that are there whole or not at all, whenever the process is killed or the power fails: written under another name, synced,
 * renamed, and the folder synced.
 */
import { join } from 'node:path';
import { errorCode } from '../errors';
import type { FileSystem } from './file-system';

/** What a killed process leaves behind ends so. */
export const UNFINISHED = '.new';
const FILE_MODE = 0o600;

/** The content is on disk; nobody sees it before commit(). */
export interface PreparedFile {
  commit(): Promise<void>;
  /** Never rejects. */
  discard(): Promise<void>;
}

/** Takes the room on disk that the file needs, so that commit() only has to rename. */
export async function prepareFile(files: FileSystem, folder: string, name: string, content: Uint8Array): Promise<PreparedFile> {
  const unfinished = join(folder, `${name}${UNFINISHED}`);
  // What an earlier attempt left: only one process uses the folder, and it makes one file at a time.
  await removeIfThere(files, unfinished);
  const file = await files.create(unfinished, FILE_MODE);
  const discard = (): Promise<void> => files.unlink(unfinished).catch(() => undefined);
  try {
    await file.write(content);
    await file.sync();
  } catch (error) {
    // The first error is the one to tell; the descriptor is gone in any case.
    await file.close().catch(() => undefined);
    await discard();
    throw error;
  }
  await file.close();
  return {
    commit: async () => {
      await files.rename(unfinished, join(folder, name));
      await files.syncFolder(folder);
    },
    discard,
  };
}

export async function writeFile(files: FileSystem, folder: string, name: string, content: Uint8Array): Promise<void> {
  const prepared = await prepareFile(files, folder, name, content);
  try {
    await prepared.commit();
  } catch (error) {
    await prepared.discard();
    throw error;
  }
}

export async function removeIfThere(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
