/**
 * Failures of a call that are the caller's to see, with their gRPC status. Anything else a handler throws becomes INTERNAL.
 */
import { status } from '@grpc/grpc-js';

import type { RichError } from './rich-error';

const SHOWN_CHARACTERS = 80;

export class ApiError extends Error {
  readonly code: status;
  /** For programs, beside the message. */
  readonly rich: RichError | undefined;

  constructor(code: status, message: string, rich?: RichError) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.rich = rich;
  }
}

/** `field: "value" reason`. The value is the caller's and may be anything. */
export function invalidArgument(field: string, value: string | number, reason: string): ApiError {
  return new ApiError(status.INVALID_ARGUMENT, `${field}: ${quote(value)} ${reason}`);
}

/** Printable ASCII: what a header can carry whatever the text was made of. */
export function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Printable ASCII only and short: the text travels in an HTTP/2 header that has a size limit, and percent-encoding throws on half
 * a surrogate pair.
 */
function quote(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const shown = value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value;
  return headerText(JSON.stringify(shown));
}
