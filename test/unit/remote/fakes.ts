/** A data plane that only remembers, served on a real socket, and a controller's end of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROUTE_COUNTER_FIELDS, type CounterColumns } from '../../../control/dataplane/api';
import type { DataplaneEvents, InstalledRoute, LocalCounterSnapshot, LocalDataplane, Punt, RouteProblem } from '../../../control/dataplane/api';
import type { NetworkSettings } from '../../../control/api/network';
import { systemClock } from '../../../control/kernel/clock';
import { InterfaceTable, type KernelChange, type LinkState } from '../../../control/kernel/interface-table';
import type { KernelFact } from '../../../control/kernel/netlink/decode';
import type { UnicastChoice } from '../../../control/kernel/route-table';
import { nameOf, type RouteChange } from '../../../control/mrib/route';
import { startDataplaneServer, type DataplaneServer } from '../../../control/remote/dataplane-server';
import { DataplaneService } from '../../../control/remote/dataplane-service';
import { RemoteDataplane, type RemoteDataplaneOptions } from '../../../control/remote/remote-dataplane';
import { FakeDataplane, quiet } from '../router/fakes';

export class FakeLocalDataplane extends FakeDataplane implements LocalDataplane {
  readonly maxVport = 63;
  readonly writes: number[] = [];
  problems: readonly string[] = [];

  override applyRoutes(changes: readonly RouteChange[]): readonly RouteProblem[] {
    this.writes.push(changes.length);
    return super.applyRoutes(changes);
  }

  installedRoute(name: string): InstalledRoute | undefined {
    const route = this.routes.get(name);
    return route === undefined ? undefined : { route, installedAtMs: 0 };
  }

  *installedRoutes(): Iterable<InstalledRoute> {
    for (const route of this.routes.values()) yield { route, installedAtMs: 0 };
  }

  override async readCounters(): Promise<LocalCounterSnapshot> {
    const snapshot = await super.readCounters();
    const now = new Map(this.counters);
    const known = [...this.routes].flatMap(([name, route]) => {
      const counters = now.get(name);
      return counters === undefined ? [] : [{ name, route, counters }];
    });
    const changedSince = (earlier: LocalCounterSnapshot | undefined): Iterable<CounterColumns> => {
      const changed = known.filter(({ name, counters }) => JSON.stringify(counters, digits) !== JSON.stringify(earlier?.route(name), digits));
      return [
        {
          keys: changed.map(({ route }) => route),
          columns: ROUTE_COUNTER_FIELDS.map((field) => BigUint64Array.from(changed.map(({ counters }) => counters[field]))),
        },
      ];
    };
    return { ...snapshot, changedSince };
  }
}

function digits(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Interfaces and unicast routes that a test sets. */
export class FakeLinks {
  table = new InterfaceTable();
  readonly #listeners = new Set<(changes: readonly KernelChange[]) => void>();

  links(): readonly LinkState[] {
    return this.table.links();
  }

  routeChoices(): Iterable<UnicastChoice> {
    return this.table.routeChoices();
  }

  onChanges(listener: (changes: readonly KernelChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(...facts: readonly KernelFact[]): void {
    const changes = facts.flatMap((fact) => this.table.apply(fact, 'event').changes);
    for (const listener of this.#listeners) listener(changes);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}

export interface Served {
  readonly links: FakeLinks;
  readonly dataplane: FakeLocalDataplane;
  readonly service: DataplaneService;
  readonly target: string;
  readonly server: DataplaneServer;
}

/** What a test opened, closed in reverse. */
const open: (() => Promise<void> | void)[] = [];

export async function closeAll(): Promise<void> {
  for (let close = open.pop(); close !== undefined; close = open.pop()) await close();
}

export function newSocketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'xmcast-remote-'));
  open.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'dataplane.sock');
}

export async function serve(socketPath = newSocketPath(), dataplane = new FakeLocalDataplane(), network?: NetworkSettings): Promise<Served> {
  const links = new FakeLinks();
  const service = new DataplaneService({ dataplane, kernel: links, problems: () => dataplane.problems, clock: systemClock, version: '1.2.3', log: quiet });
  const server = await startDataplaneServer({ socketPath, network, service, log: quiet });
  open.push(() => server.close());
  return { dataplane, links, service, server, target: `unix://${socketPath}` };
}

export interface Heard {
  readonly punts: Punt[];
  readonly applied: { readonly changes: readonly RouteChange[]; readonly refused: readonly RouteProblem[] }[];
  readonly troubles: string[];
  rooms: number;
  readies: number;
  linkUps: number;
}

export function connect(target: string, options: Partial<RemoteDataplaneOptions> = {}): { readonly remote: RemoteDataplane; readonly heard: Heard } {
  const heard: Heard = { punts: [], applied: [], troubles: [], rooms: 0, readies: 0, linkUps: 0 };
  const events: DataplaneEvents = {
    onPunts: (punts) => heard.punts.push(...punts),
    onRoom: () => heard.rooms++,
    onTrouble: (message) => heard.troubles.push(message),
    onApplied: (changes, refused) => heard.applied.push({ changes, refused }),
    onReady: () => heard.readies++,
    onLinkUp: () => heard.linkUps++,
  };
  const remote = RemoteDataplane.open({ target, name: 'test', electionId: 1n, clock: systemClock, log: quiet, ...events, ...options });
  open.push(() => remote.close());
  return { remote, heard };
}

export const set = (source: number, group: number, outgoing: readonly number[] = [2]): RouteChange => ({ kind: 'set', route: { source, group, incoming: 1, outgoing } });
export const remove = (source: number, group: number): RouteChange => ({ kind: 'remove', key: { source, group } });
export const nameOfChange = (change: RouteChange): string => nameOf(change.kind === 'set' ? change.route : change.key);
