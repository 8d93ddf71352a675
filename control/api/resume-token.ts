/**
 * Resume tokens of Watch streams: opaque to clients, good for the call and the filters they were given for.
 */
import { createHash } from 'node:crypto';

import { invalidArgument } from './api-error';
import type { WatchPosition } from './watch-session';

const MAX_TOKEN_LENGTH = 128;

export function writeResumeToken({ epoch, sequence }: WatchPosition, query: readonly string[]): string {
  return Buffer.from(JSON.stringify([hashOf(query), epoch, sequence])).toString('base64url');
}

/** undefined: from the beginning. */
export function readResumeToken(token: string, query: readonly string[]): WatchPosition | undefined {
  if (token === '') return undefined;
  const [hash, epoch, sequence] = token.length <= MAX_TOKEN_LENGTH ? fieldsOf(token) : [];
  const isOurs = typeof epoch === 'string' && epoch !== '' && typeof sequence === 'number' && Number.isSafeInteger(sequence);
  if (!isOurs) throw invalidArgument('resume_token', token, 'was not issued by this server');
  if (hash !== hashOf(query)) throw invalidArgument('resume_token', token, 'belongs to a call with other filters');
  return { epoch, sequence };
}

function hashOf(query: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

function fieldsOf(token: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    // Not JSON: somebody made it up, which the caller reports.
    return [];
  }
}
