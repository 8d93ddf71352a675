/**
 * Compares what is installed with what should be, and puts right what somebody else has changed: ports, replication groups, routes and
 * what belongs to them, what is attached and pinned. Reads on worker threads and compares in pieces; what this controller changes
 * meanwhile is left for the next time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorText } from '../errors';
import type { PolicerSettings, PuntClass, RepairKind, Verification } from './api';
import { repairPins, type Forwarder } from './loader';
import type { MemberTable } from './member-table';
import type { PinFolder } from './pin-folder';
import type { PortTable } from './ports';
import type { PrefixRoutes } from './prefix-routes';
import type { Replication } from './replication';
import { repairSettings } from './program-settings';
import type { ThresholdTable } from './threshold-table';
import { RouteVerifier, type VerifiedRoutes } from './verify-routes';

/** Slots of groups in one piece: about a millisecond. */
const SLOTS = 1024;

export interface VerifiedParts extends Omit<VerifiedRoutes, 'map' | 'abi' | 'note'> {
  readonly forwarder: Forwarder;
  readonly pins: PinFolder;
  readonly ports: PortTable;
  readonly replication: Replication;
  readonly ranges: PrefixRoutes;
  readonly members: MemberTable;
  readonly thresholds: ThresholdTable;
  readonly policers: () => Readonly<Record<PuntClass, PolicerSettings>>;
  /** Between pieces: whether to go on. */
  readonly isClosed: () => boolean;
}

export class Verifier {
  readonly #parts: VerifiedParts;
  readonly #routes: RouteVerifier;
  #repairs = new Map<RepairKind, number>();
  #problems: string[] = [];

  constructor(parts: VerifiedParts) {
    this.#parts = parts;
    const { object, installedAbi: abi } = parts.forwarder;
    this.#routes = new RouteVerifier({ ...parts, map: object.map('xm_routes'), abi, note: (kind, count) => this.#note(kind, count) });
  }

  async verify(): Promise<Verification> {
    this.#repairs = new Map();
    this.#problems = [];
    // Ports first: groups are written by their interfaces, and routes by groups.
    for (const step of [() => this.#ports(), () => this.#groups(), () => this.#besideRoutes(), () => this.#routes.verify(), () => this.#pins()]) {
      if (this.#parts.isClosed()) break;
      await step();
    }
    return { repairs: this.#repairs, problems: this.#problems };
  }

  #note(kind: RepairKind, count: number): void {
    if (count > 0) this.#repairs.set(kind, (this.#repairs.get(kind) ?? 0) + count);
  }

  async #ports(): Promise<void> {
    const { ports } = this.#parts;
    for (const ifindex of ports.devices()) {
      try {
        for (const kind of await ports.repair(ifindex)) this.#note(kind, 1);
      } catch (error) {
        this.#problems.push(errorText(error));
      }
    }
  }

  async #groups(): Promise<void> {
    const { replication } = this.#parts;
    let slots = 0;
    for (const group of replication.pool.groupsInUse()) {
      // Another set may have it by now.
      if (replication.pool.isInUse(group) && (await replication.repair(group))) this.#note('group', 1);
      slots += group.slots;
      if (slots < SLOTS) continue;
      slots = 0;
      await nextTurn();
    }
  }

  async #besideRoutes(): Promise<void> {
    const { forwarder, policers, thresholds, ranges, members } = this.#parts;
    this.#note('setting', repairSettings(forwarder, policers()));
    for (const table of [thresholds, ranges, members]) this.#note('route', await table.repair());
  }

  async #pins(): Promise<void> {
    const { forwarder, pins, replication } = this.#parts;
    if (pins.restore(forwarder.generation)) this.#note('pin', 1);
    this.#note('pin', repairPins(forwarder));
    await nextTurn();
    this.#note('pin', replication.repairPins());
  }
}
