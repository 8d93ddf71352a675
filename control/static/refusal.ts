/**
 * Why a request to change static entries was not carried out. Each reason is for programs to tell apart; docs/api.md has them all.
 */
import type { Problem } from '../config/settings';

export const STATIC_REFUSALS = ['ENTRIES_INVALID', 'ENTRY_EXISTS', 'REVISION_MISMATCH', 'TOO_MANY_ENTRIES', 'NO_ENTRIES', 'NO_LEASE'] as const;
export type StaticRefusalReason = (typeof STATIC_REFUSALS)[number];

export class StaticRefusal extends Error {
  readonly reason: StaticRefusalReason;
  /** Figures of the message for programs. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];

  constructor(
    reason: StaticRefusalReason,
    message: string,
    more: { readonly metadata?: Readonly<Record<string, string>>; readonly problems?: readonly Problem[] } = {},
  ) {
    super(message);
    this.name = 'StaticRefusal';
    this.reason = reason;
    this.metadata = more.metadata ?? {};
    this.problems = more.problems ?? [];
  }
}
