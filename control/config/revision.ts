/**
 * A kept configuration as bytes, and back. Pure. What comes back was checked from checksum to meaning: it can run.
 */
import type { xmcast } from '#proto';
import { canonicalText, etagOf } from './canonical';
import { configFromText } from './plain-config';
import { seal, unseal } from './sealed-file';
import { validateConfig } from './validate';

const KIND = 'xmcast-revision';

/** A configuration with its canonical text and what stands for it. */
export interface Content {
  readonly config: xmcast.v1.Config;
  readonly text: string;
  readonly etag: string;
}

/** What is known of a revision besides its content. */
export interface RevisionHeader {
  readonly id: number;
  readonly createdWallMs: number;
  /** "api", "rollback to 5" */
  readonly author: string;
  readonly comment: string;
  /** "": none was given. */
  readonly requestId: string;
}

export interface Revision extends RevisionHeader, Content {}

export type ReadRevision =
  | { readonly revision: Revision; readonly fault: undefined }
  | { readonly revision: undefined; readonly fault: string };

export function contentOf(config: xmcast.v1.Config): Content {
  const text = canonicalText(config);
  return { config, text, etag: etagOf(text) };
}

export function encodeRevision({ id, createdWallMs, author, comment, requestId, text }: Revision): Buffer {
  return seal(KIND, `${JSON.stringify({ id, createdWallMs, author, comment, requestId })}\n${text}\n`);
}

export function decodeRevision(bytes: Buffer): ReadRevision {
  const { body, fault } = unseal(KIND, bytes);
  if (body === undefined) return { revision: undefined, fault };
  const end = body.indexOf('\n');
  const header = readHeader(body.slice(0, Math.max(end, 0)));
  if (header === undefined) return damaged('has no header');
  const { config, fault: formFault } = configFromText(body.slice(end + 1));
  // Whole by its checksum, so another version wrote it.
  if (config === undefined) return damaged(`was written by another version: ${formFault}`);
  const [problem] = validateConfig(config);
  if (problem !== undefined) return damaged(`does not hold by the rules of this version: ${problem.path}: ${problem.message}`);
  return { revision: { ...header, ...contentOf(config) }, fault: undefined };
}

function damaged(fault: string): ReadRevision {
  return { revision: undefined, fault };
}

function readHeader(line: string): RevisionHeader | undefined {
  try {
    const { id, createdWallMs, author, comment, requestId } = JSON.parse(line) as Record<string, unknown>;
    const numbers = [id, createdWallMs].every((value) => Number.isSafeInteger(value) && (value as number) >= 0);
    const texts = [author, comment, requestId].every((value) => typeof value === 'string');
    return numbers && texts ? ({ id, createdWallMs, author, comment, requestId } as RevisionHeader) : undefined;
  } catch {
    // No JSON: for the caller the same as JSON without the fields.
    return undefined;
  }
}
