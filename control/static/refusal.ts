/**
 * Why a request to change static entries was not carried out. Each reason is for programs to tell apart; docs/api.md has them all.
 */
import { Refusal } from '../config/refusal';

export const STATIC_REFUSALS = ['ENTRIES_INVALID', 'ENTRY_EXISTS', 'REVISION_MISMATCH', 'TOO_MANY_ENTRIES', 'NO_ENTRIES', 'NO_LEASE'] as const;
export type StaticRefusalReason = (typeof STATIC_REFUSALS)[number];

export class StaticRefusal extends Refusal<StaticRefusalReason> {
  override readonly name = 'StaticRefusal';
}
