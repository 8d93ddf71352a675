/**
 * Replication groups in the kernel: makes the inner maps, installs them in the outer one in batches off the event loop, and writes their
 * slots. Grows before a size class runs dry, so that no join has to wait for a grace period. Which set has which group is GroupPool's.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BpfMap } from '#bindings';
import type { BpfProgram } from '#bindings';
import { errorText } from '../errors';
import type { VportId } from '../mrib/route';
import { GroupPool, sizeClasses, type Shortage } from './group-pool';
import { u32Key, u32Keys } from './keys';
import type { FilledSlot, SlotPorts } from './slot-ports';

const BPF_MAP_TYPE_DEVMAP = 14;
/** struct bpf_devmap_val: ifindex, program descriptor. */
const DEVMAP_VALUE_BYTES = 8;
/** Some ten microseconds each: made in one go, so many do not hold up what else there is to do. */
const MADE_AT_ONCE = 128;
/** Of each size class at the start. */
const FIRST_GROUPS = 32;

export interface ReplicationOptions {
  /** The ARRAY_OF_MAPS, with outerEntries() entries. */
  readonly outer: BpfMap;
  /** Held, not only its descriptor: a program object that is collected closes it. */
  readonly egress: BpfProgram;
  /** Sets in use at one time. */
  readonly limit: number;
  /** No set is larger. */
  readonly ports: number;
  /** undefined while the port has no device. */
  readonly ifindexOf: (vport: VportId) => number | undefined;
  readonly slotPorts: SlotPorts;
  readonly onGrowthFailed: (message: string) => void;
  /** There are more groups than before: what was refused may be tried again. */
  readonly onGrown: () => void;
}

/** Groups that rest need room beside those in use, and so do the spare ones of each class. */
export function outerEntries(limit: number, ports: number): number {
  return limit + Math.max(sizeClasses(ports).length * FIRST_GROUPS, limit >> 1);
}

export class Replication {
  readonly pool: GroupPool;
  readonly #options: ReplicationOptions;
  readonly #maps: BpfMap[] = [];
  #growing: Promise<void> | undefined;
  #closed = false;

  private constructor(options: ReplicationOptions) {
    this.#options = options;
    this.pool = new GroupPool(options.limit, sizeClasses(options.ports), {
      fill: (group, vports) => this.#fill(group, vports),
      clear: (group, slots) => this.#clear(group, slots),
    });
  }

  static async create(options: ReplicationOptions): Promise<Replication> {
    const replication = new Replication(options);
    await replication.#install(sizeClasses(options.ports).map((slots) => ({ slots, count: FIRST_GROUPS })));
    return replication;
  }

  /** Call after groups have been taken. Cheap while no class runs short. */
  growIfShort(): void {
    if (this.#growing !== undefined || this.#closed) return;
    const shortages = this.pool.shortages();
    if (shortages.length === 0 || this.#room() === 0) return;
    const growing = this.#install(shortages)
      .then(() => this.#grown())
      .catch((error: unknown) => this.#options.onGrowthFailed(`make more replication groups: ${errorText(error)}`))
      .finally(() => {
        if (this.#growing === growing) this.#growing = undefined;
      });
    this.#growing = growing;
  }

  #grown(): void {
    this.#growing = undefined;
    if (this.#closed) return;
    this.#options.onGrown();
    this.growIfShort();
  }

  /** The port sits on another device now. */
  rewrite(vport: VportId): void {
    for (const group of this.pool.groupsWith(vport)) this.#fill(group.index, group.vports);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#growing;
    for (const map of this.#maps) map.close();
  }

  #room(): number {
    return outerEntries(this.#options.limit, this.#options.ports) - this.#maps.length;
  }

  /** One batch: each single write into the outer map would wait for an RCU grace period of its own. */
  async #install(wanted: readonly Shortage[]): Promise<void> {
    const first = this.#maps.length;
    const made: { readonly slots: number; readonly index: number }[] = [];
    for (const { slots, count } of wanted) {
      for (let i = Math.min(count, this.#room()); i > 0; i--) {
        if (made.length % MADE_AT_ONCE === MADE_AT_ONCE - 1) await nextTurn();
        made.push({ slots, index: this.#maps.length });
        this.#maps.push(BpfMap.create({ type: BPF_MAP_TYPE_DEVMAP, name: 'xm_group', keySize: 4, valueSize: DEVMAP_VALUE_BYTES, maxEntries: slots }));
      }
    }
    const descriptors = this.#maps.slice(first).map((map) => map.fd);
    await this.#options.outer.updateBatch(u32Keys(made.map(({ index }) => index)), u32Keys(descriptors), made.length);
    for (const { slots, index } of made) this.pool.add(slots, [index]);
    if (this.#room() === 0) this.pool.complete();
  }

  #fill(group: number, vports: readonly VportId[]): void {
    const map = this.#maps[group];
    if (map === undefined) throw new RangeError(`replication group ${group} does not exist`);
    const present: FilledSlot[] = [];
    vports.forEach((vport, slot) => {
      const ifindex = this.#options.ifindexOf(vport);
      if (ifindex === undefined) map.delete(u32Key(slot));
      else present.push({ slot, vport, ifindex });
    });
    this.#options.slotPorts.fill(group, present);
    const values = u32Keys(present.flatMap(({ ifindex }) => [ifindex, this.#options.egress.fd]));
    map.updateMany(u32Keys(present.map(({ slot }) => slot)), values, present.length);
  }

  #clear(group: number, slots: number): void {
    this.#maps[group]?.deleteMany(u32Keys(Array.from({ length: slots }, (_, slot) => slot)), slots);
    this.#options.slotPorts.clear(group);
  }
}
