/**
 * Why a request to change the configuration was not carried out. Each reason is for programs to tell apart; docs/api.md has them all.
 */
import type { Problem } from './settings';

/** ABORTED, FAILED_PRECONDITION and so on are decided by the API. */
export const REFUSALS = [
  'CONFIG_INVALID',
  'ETAG_MISMATCH',
  'REQUEST_ID_REUSED',
  'UNCONFIRMED_REVISION',
  'NOTHING_TO_CONFIRM',
  'FILE_MANAGED',
  'API_MANAGED',
  'NO_FILE',
  'FILE_INVALID',
  'NO_SUCH_REVISION',
  'REVISION_DAMAGED',
  'TOO_MANY_WAITING',
  'NOT_APPLIED',
] as const;
export type RefusalReason = (typeof REFUSALS)[number];

/** Why any request was not carried out, in words and for programs. */
export abstract class Refusal<Reason extends string> extends Error {
  readonly reason: Reason;
  /** Figures of the message for programs, e.g. both etags. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];

  constructor(
    reason: Reason,
    message: string,
    more: { readonly metadata?: Readonly<Record<string, string>>; readonly problems?: readonly Problem[]; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.reason = reason;
    this.metadata = more.metadata ?? {};
    this.problems = more.problems ?? [];
  }
}

export class ConfigRefusal extends Refusal<RefusalReason> {
  override readonly name = 'ConfigRefusal';
}
