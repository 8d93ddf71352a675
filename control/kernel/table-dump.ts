/**
 * One full reading of the kernel's tables, taken beside the table in use: links, then addresses, then routes, with the
 * notifications that come in between. Pure: says what to request, is told what arrived. Never touches the table in use.
 */
import type { InterfaceTable } from './interface-table';
import { NLM_F_REPLACE } from './netlink/constants';
import type { KernelFact } from './netlink/decode';

export type DumpPart = KernelFact['kind'];

/** In this order, so that addresses find their links. */
export const ALL_PARTS: readonly DumpPart[] = ['link', 'address', 'route'];

export class TableDump {
  readonly #table: InterfaceTable;
  readonly #parts: readonly DumpPart[];
  #position = 0;
  #doubtful = false;

  /** `table` holds what the parts do not read anew. */
  constructor(table: InterfaceTable, parts: readonly DumpPart[]) {
    this.#table = table;
    this.#parts = parts;
  }

  /** What is being read; undefined when everything has been. */
  get part(): DumpPart | undefined {
    return this.#parts[this.#position];
  }

  get table(): InterfaceTable {
    return this.#table;
  }

  get parts(): readonly DumpPart[] {
    return this.#parts;
  }

  /** Something was lost or changed under the reading: the table may lack entries or hold dead ones. */
  get doubtful(): boolean {
    return this.#doubtful;
  }

  markDoubtful(): void {
    this.#doubtful = true;
  }

  takeDumped(fact: KernelFact): void {
    if (fact.kind === this.part) this.#table.apply(fact, 'dump');
  }

  takeEvent(fact: KernelFact): void {
    const turn = this.#parts.indexOf(fact.kind);
    // What has not been read yet will be read with this event in it.
    if (turn > this.#position) return;
    this.#table.apply(fact, 'event');
    // The kernel fills a part of the dump first and queues it later: it may follow this event and still hold what the event took.
    if (turn === this.#position && (fact.removed || (fact.flags & NLM_F_REPLACE) !== 0)) this.#doubtful = true;
  }

  finishPart(): void {
    this.#position += 1;
  }
}
