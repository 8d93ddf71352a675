/**
 * Replication groups in the kernel: makes the inner maps, installs them in the outer one in batches off the event loop, and writes their
 * slots. Grows before a size class runs dry, so that no join has to wait for a grace period. Which set has which group is GroupPool's.
 */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BpfMap } from '#bindings';
import type { BpfProgram } from '#bindings';
import { errorText } from '../errors';
import type { VportId } from '../mrib/route';
import { GroupPool, sizeClasses, type Group, type Shortage } from './group-pool';
import { readU32, u32Key, u32Keys } from './keys';
import type { SlotOwner } from './installed-abi';
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
  /** Where the group of this index is pinned. */
  readonly pinPath: (index: number) => string;
  /** Groups that are there already, by their indexes from 0 on. */
  readonly present: readonly BpfMap[];
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
    replication.#maps.push(...options.present);
    if (options.present.length === 0) await replication.#install(sizeClasses(options.ports).map((slots) => ({ slots, count: FIRST_GROUPS })));
    else await replication.#completeOuter();
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

  get count(): number {
    return this.#maps.length;
  }

  /** As readSlots(). */
  slotsOf(index: number): readonly (number | undefined)[] {
    const map = this.#maps[index];
    return map === undefined ? [] : readSlots(map);
  }

  /** When no groups are being made. */
  async settled(): Promise<void> {
    await this.#growing;
  }

  /** There are as many groups as there may be. */
  get isComplete(): boolean {
    return this.#room() === 0;
  }

  /** Whose the slots are, before any group is adopted. */
  adoptOwners(owners: readonly SlotOwner[]): void {
    this.#options.slotPorts.adopt(owners);
  }

  /** A group that routes have already: it goes on as it is, with the egress program of this controller. `vports`: by slot. */
  adopt(index: number, vports: readonly (VportId | undefined)[], users: number): Group {
    this.#write(index, vports);
    const present = vports.filter((vport) => vport !== undefined);
    return this.pool.adopt({ index, slots: this.#slots(index), vports: present, users, hasHoles: present.length < vports.length });
  }

  /** Groups that no route has: what they hold is let go. */
  async adoptSpare(indexes: readonly number[]): Promise<void> {
    for (let from = 0; from < indexes.length; from += MADE_AT_ONCE) {
      const some = indexes.slice(from, from + MADE_AT_ONCE);
      await Promise.all(some.map((index) => this.#maps[index]?.deleteBatch(u32Keys(range(this.#slots(index))), this.#slots(index))));
      for (const index of some) {
        this.#options.slotPorts.clear(index);
        this.pool.add(this.#slots(index), [index]);
      }
    }
    if (this.#room() === 0) this.pool.complete();
  }

  /** Puts right what somebody else has changed of this group. Resolves with whether there was anything. */
  async repair({ index, vports }: Group): Promise<boolean> {
    const { outer, egress, ifindexOf, slotPorts } = this.#options;
    const map = this.#maps[index];
    if (map === undefined) return false;
    const id = outer.lookup(u32Key(index));
    const isInstalled = id !== undefined && readU32(id, 0) === map.info.id;
    if (!isInstalled) await outer.updateBatch(u32Key(index), u32Key(map.fd), 1);
    const present = this.#present(vports);
    const isTold = slotPorts.isTold(index, present);
    if (!isTold) slotPorts.fill(index, present);
    const isRight = range(this.#slots(index)).every((slot) => {
      const vport = vports[slot];
      const wanted = vport === undefined ? undefined : ifindexOf(vport);
      const value = map.lookup(u32Key(slot));
      if (wanted === undefined || value === undefined) return wanted === value;
      return readU32(value, 0) === wanted && readU32(value, 1) === egress.id;
    });
    if (isRight) return !isInstalled || !isTold;
    this.#clear(index, this.#slots(index));
    this.#write(index, vports);
    return true;
  }

  /** Pins of groups that somebody has removed are made anew. Returns how many. */
  repairPins(): number {
    const missing = range(this.#maps.length).filter((index) => !existsSync(this.#options.pinPath(index)));
    for (const index of missing) this.#maps[index]?.pin(this.#options.pinPath(index));
    return missing.length;
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

  #slots(index: number): number {
    return this.#maps[index]?.info.maxEntries ?? 0;
  }

  /** A controller that died may have pinned groups that it had not installed yet. */
  async #completeOuter(): Promise<void> {
    const missing = range(this.#maps.length).filter((index) => this.#options.outer.lookup(u32Key(index)) === undefined);
    if (missing.length === 0) return;
    const descriptors = missing.map((index) => this.#maps[index]?.fd ?? -1);
    await this.#options.outer.updateBatch(u32Keys(missing), u32Keys(descriptors), missing.length);
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
        const index = this.#maps.length;
        const map = BpfMap.create({ type: BPF_MAP_TYPE_DEVMAP, name: 'xm_group', keySize: 4, valueSize: DEVMAP_VALUE_BYTES, maxEntries: slots });
        map.pin(this.#options.pinPath(index));
        made.push({ slots, index });
        this.#maps.push(map);
      }
    }
    const descriptors = this.#maps.slice(first).map((map) => map.fd);
    await this.#options.outer.updateBatch(u32Keys(made.map(({ index }) => index)), u32Keys(descriptors), made.length);
    for (const { slots, index } of made) this.pool.add(slots, [index]);
    if (this.#room() === 0) this.pool.complete();
  }

  #fill(group: number, vports: readonly VportId[]): void {
    if (vports.length > this.#slots(group)) throw new RangeError(`replication group ${group} has no room for ${vports.length} interfaces`);
    this.#write(group, vports);
  }

  /** undefined: an empty slot, as that of a port without a device is. */
  #write(group: number, vports: readonly (VportId | undefined)[]): void {
    const map = this.#maps[group];
    if (map === undefined) return;
    const present = this.#present(vports);
    const filled = new Set(present.map(({ slot }) => slot));
    for (const slot of range(vports.length)) if (!filled.has(slot)) map.delete(u32Key(slot));
    this.#options.slotPorts.fill(group, present);
    const values = u32Keys(present.flatMap(({ ifindex }) => [ifindex, this.#options.egress.fd]));
    map.updateMany(u32Keys(present.map(({ slot }) => slot)), values, present.length);
  }

  #present(vports: readonly (VportId | undefined)[]): readonly FilledSlot[] {
    return vports.flatMap((vport, slot) => {
      const ifindex = vport === undefined ? undefined : this.#options.ifindexOf(vport);
      return vport === undefined || ifindex === undefined ? [] : [{ slot, vport, ifindex }];
    });
  }

  #clear(group: number, slots: number): void {
    this.#maps[group]?.deleteMany(u32Keys(range(slots)), slots);
    this.#options.slotPorts.clear(group);
  }
}

/** The interfaces in the slots of a group; undefined: an empty slot. */
export function readSlots(group: BpfMap): readonly (number | undefined)[] {
  return range(group.info.maxEntries).map((slot) => {
    const value = group.lookup(u32Key(slot));
    return value === undefined ? undefined : readU32(value, 0);
  });
}

/** 0 … length-1 */
function range(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i);
}
