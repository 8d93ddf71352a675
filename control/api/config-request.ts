/**
 * Reads the fields of requests to ConfigService other than the configuration. What is wrong becomes INVALID_ARGUMENT with the field's name.
 */
import { status } from '@grpc/grpc-js';

import type { google } from '#proto';

import { durationMs } from '../config/duration';

import { ApiError, invalidArgument } from './api-error';
import { unknownFields } from './unknown-fields';

const MAX_WORD = 128;
const MAX_COMMENT_BYTES = 1024;
const MIN_CONFIRM_MS = 1_000;
const MAX_CONFIRM_MS = 86_400_000;

/** Printable ASCII. */
export function readWord(field: string, text: string): string {
  if (text.length <= MAX_WORD && /^[\x20-\x7e]*$/.test(text)) return text;
  throw invalidArgument(field, text, `is not up to ${MAX_WORD} printable ASCII characters`);
}

export function readComment(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_COMMENT_BYTES) return text;
  throw invalidArgument('comment', text, `has ${bytes} bytes; ${MAX_COMMENT_BYTES} are allowed`);
}

/** undefined: no confirmation is asked for. */
export function readConfirmTimeout(duration: google.protobuf.Duration.$Properties | null | undefined): number | undefined {
  if (duration === null || duration === undefined) return undefined;
  const ms = Math.floor(durationMs(duration));
  if (ms >= MIN_CONFIRM_MS && ms <= MAX_CONFIRM_MS) return ms;
  throw invalidArgument(
    'confirm_timeout',
    `${ms / 1000}s`,
    `is not from ${MIN_CONFIRM_MS / 1000} to ${MAX_CONFIRM_MS / 1000} seconds`,
  );
}

export function ensureKnown(request: object): void {
  const violations = unknownFields(request);
  const [first] = violations;
  if (first === undefined) return;
  const rich = { reason: 'UNKNOWN_FIELD', metadata: {}, violations };
  throw new ApiError(status.INVALID_ARGUMENT, `${first.description}; nothing was changed`, rich);
}
