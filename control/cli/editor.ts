/**
 * Lets somebody edit a text in the editor of their choice, in a file that only they can read.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { CliFailure, EXIT } from './failure';

export interface EditedFile {
  readonly path: string;
  readonly text: string;
  /** Kept otherwise, so that no work is lost. */
  remove(): Promise<void>;
}

/** `editor`: as in EDITOR, with arguments. */
export async function editText(text: string, editor: string): Promise<EditedFile> {
  const folder = await mkdtemp(path.join(tmpdir(), 'xmcastctl-'));
  const file = path.join(folder, 'xmcast.yaml');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  await writeFile(file, text, { mode: 0o600 });
  try {
    await run(editor, file);
  } catch (error) {
    await remove();
    throw error;
  }
  return { path: file, text: await readFile(file, 'utf8'), remove };
}

/** By the shell, as every program that reads EDITOR does it: it may have arguments. */
function run(editor: string, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new CliFailure(EXIT.error, `the editor (${editor}) ended with status ${String(code)}; nothing was changed`));
    });
  });
}
