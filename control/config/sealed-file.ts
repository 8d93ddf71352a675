/**
 * Bytes of a file that carries its own checksum: one line with kind, version and SHA-256 of all that follows. Whatever was damaged, cut
 * off or mixed up shows.
 */
import { createHash } from 'node:crypto';

const FORMAT = 1;

interface Faulty {
  readonly body: undefined;
  readonly fault: string;
}
export type Unsealed = { readonly body: string; readonly fault: undefined } | Faulty;
export type UnsealedBytes = { readonly body: Buffer; readonly fault: undefined } | Faulty;

/** `kind`: one word. */
export function seal(kind: string, body: string): Buffer {
  return Buffer.from(sealOf(kind, digest(body)) + body);
}

export function unseal(kind: string, bytes: Buffer): Unsealed {
  const { body, fault: found } = unsealBytes(kind, bytes);
  return body === undefined ? fault(found) : { body: body.toString('utf8'), fault: undefined };
}

/** `checksum`: hexadecimal SHA-256 of what follows, for bodies that are put together piece by piece. */
export function sealOf(kind: string, checksum: string): string {
  return `${kind} ${FORMAT} sha256 ${checksum}\n`;
}

export function unsealBytes(kind: string, bytes: Buffer): UnsealedBytes {
  const end = bytes.indexOf('\n');
  const [word, format, algorithm, checksum] = bytes.toString('latin1', 0, Math.max(end, 0)).split(' ');
  if (word !== kind || algorithm !== 'sha256') return fault(`is no ${kind}, or its first line is damaged`);
  if (format !== String(FORMAT)) return fault(`has format ${String(format)}; this version reads ${FORMAT}`);
  const body = bytes.subarray(end + 1);
  if (digest(body) !== checksum) return fault('is damaged: its checksum does not match');
  return { body, fault: undefined };
}

function fault(text: string): Faulty {
  return { body: undefined, fault: text };
}

function digest(body: string | Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
