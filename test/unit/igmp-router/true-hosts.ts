/**
 * IGMPv3 hosts as RFC 3376 §5 has them, on a link that loses nothing: each tells of every change, and answers every query, at once. With
 * `splits`, lists of sources come one source in a message, as §4.2.16 allows where a list does not fit.
 */
import { RecordType, type GroupRecord, type IgmpMessage, type IgmpQuery } from '../../../control/protocol/igmp/message';

export interface Filter {
  readonly mode: 'include' | 'exclude';
  readonly sources: ReadonlySet<number>;
}

export const NOTHING: Filter = { mode: 'include', sources: new Set() };

const minus = (one: ReadonlySet<number>, other: ReadonlySet<number>): number[] => [...one].filter((source) => !other.has(source));

export class TrueHost {
  readonly address: number;
  readonly filters = new Map<number, Filter>();
  readonly #splits: boolean;

  constructor(address: number, splits: boolean) {
    this.address = address;
    this.#splits = splits;
  }

  /** §5.1: the messages that tell of the change. */
  become(group: number, next: Filter): IgmpMessage[] {
    const before = this.filters.get(group) ?? NOTHING;
    if (next.mode === 'include' && next.sources.size === 0) this.filters.delete(group);
    else this.filters.set(group, next);
    const [gone, added] = [minus(before.sources, next.sources), minus(next.sources, before.sources)];
    if (before.mode !== next.mode) {
      const type = next.mode === 'include' ? RecordType.CHANGE_TO_INCLUDE_MODE : RecordType.CHANGE_TO_EXCLUDE_MODE;
      return this.#tell({ type, group, sources: [...next.sources] });
    }
    const [allowed, blocked] = next.mode === 'include' ? [added, gone] : [gone, added];
    return [
      ...(allowed.length > 0 ? this.#tell({ type: RecordType.ALLOW_NEW_SOURCES, group, sources: allowed }) : []),
      ...(blocked.length > 0 ? this.#tell({ type: RecordType.BLOCK_OLD_SOURCES, group, sources: blocked }) : []),
    ];
  }

  /** §5.2. */
  answer(query: IgmpQuery): IgmpMessage[] {
    const groups = query.group === 0 ? [...this.filters.keys()] : this.filters.has(query.group) ? [query.group] : [];
    return groups.flatMap((group) => this.#answerFor(group, query.sources));
  }

  wants(group: number, source: number): boolean {
    const { mode, sources } = this.filters.get(group) ?? NOTHING;
    return sources.has(source) === (mode === 'include');
  }

  #answerFor(group: number, asked: readonly number[]): IgmpMessage[] {
    const { mode, sources } = this.filters.get(group) ?? NOTHING;
    if (asked.length === 0) {
      const type = mode === 'include' ? RecordType.MODE_IS_INCLUDE : RecordType.MODE_IS_EXCLUDE;
      return this.#tell({ type, group, sources: [...sources] });
    }
    const wanted = asked.filter((source) => this.wants(group, source));
    return wanted.length === 0 ? [] : this.#tell({ type: RecordType.MODE_IS_INCLUDE, group, sources: wanted });
  }

  #tell(record: GroupRecord): IgmpMessage[] {
    const isExclude = record.type === RecordType.MODE_IS_EXCLUDE || record.type === RecordType.CHANGE_TO_EXCLUDE_MODE;
    if (!this.#splits || isExclude || record.sources.length < 2) return [{ kind: 'report-v3', records: [record] }];
    return record.sources.map((source) => ({ kind: 'report-v3', records: [{ ...record, sources: [source] }] }));
  }
}
