/**
 * A file that was named on the command line and cannot be read, as the user is told of it.
 */
import { errorCode, errorText } from '../errors';

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
};

/** The text of Node.js names file and system call once more. */
export function unreadableText(file: string, error: unknown): string {
  const code = errorCode(error);
  const cause = CAUSES[code];
  return `read ${file}: ${cause === undefined ? code || errorText(error) : `${code}, ${cause}`}`;
}
