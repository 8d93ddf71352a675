/** The outside of the router for its unit tests: a data plane that only remembers, a kernel whose links a test sets. */
import type { WatchTable } from '../../../control/api/watch-source';
import { pino } from 'pino';
import type { CounterSnapshot, Dataplane, DataplaneLink, PortAttachment, PortSpec, Punt, RepairKind, RouteCounters, RouteProblem, TakenOver, Verification } from '../../../control/dataplane/api';
import { PUNT_CLASSES } from '../../../control/dataplane/api';
import type { KernelChange, LinkState } from '../../../control/kernel/interface-table';
import { nameOf, type RouteChange, type VportId, type WantedRoute } from '../../../control/mrib/route';
import { parseIpv4 } from '../../../control/protocol/packet/address';
import { toSettings } from '../../../control/config/defaults';
import type { Settings } from '../../../control/config/settings';

export const quiet = pino({ level: 'silent' });

export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(text);
  return address;
}

export const NO_COUNTERS: RouteCounters = {
  packets: 0n, bytes: 0n, expected: 0n, copies: 0n, copyBytes: 0n, failed: 0n, dropped: 0n, redirectErrors: 0n, wrongInterface: 0n, ttlDrops: 0n,
};

export class FakeDataplane implements Dataplane {
  readonly dropReasons = ['no_route'];
  readonly repairs = new Map<RepairKind, bigint>();
  takenOver: TakenOver | undefined;
  link: DataplaneLink | undefined;
  isBusy = false;
  readonly ports = new Map<VportId, PortSpec>();
  readonly routes = new Map<string, WantedRoute>();
  readonly sent: { readonly vport: VportId; readonly frame: Uint8Array }[] = [];
  /** Routes refused beyond so many. */
  limit = 100;
  failPort: Error | undefined;
  attachment: PortAttachment = { mode: 'xdp', reason: '', isFallback: false };
  readonly counters = new Map<string, RouteCounters>();

  get usage() {
    return { routes: this.routes.size, routeLimit: this.limit, groups: 0, groupLimit: 10 };
  }

  setPort(port: PortSpec): Promise<PortAttachment> {
    if (this.failPort !== undefined) return Promise.reject(this.failPort);
    this.ports.set(port.vport, port);
    return Promise.resolve(this.attachment);
  }

  removePort(vport: VportId): Promise<void> {
    this.ports.delete(vport);
    return Promise.resolve();
  }

  policers: unknown;

  setPolicers(policers: unknown): void {
    this.policers = policers;
  }

  applyRoutes(changes: readonly RouteChange[]): readonly RouteProblem[] {
    const problems: RouteProblem[] = [];
    for (const change of changes) {
      if (change.kind === 'remove') {
        this.routes.delete(nameOf(change.key));
        continue;
      }
      const { source, group } = change.route;
      const name = nameOf(change.route);
      if (!this.routes.has(name) && this.routes.size >= this.limit) problems.push({ source, group, problem: 'full' });
      else this.routes.set(name, change.route);
    }
    return problems;
  }

  installedAtMs(): undefined {
    return undefined;
  }

  readCounters(): Promise<CounterSnapshot> {
    const zero = PUNT_CLASSES.map(() => 0n);
    const vport = { rxPackets: 7n, rxBytes: 700n, resentPackets: 0n, originatedPackets: 0n, acceptedPackets: 4n, txPackets: 0n, txBytes: 0n, drops: [3n], punts: zero, puntsPoliced: zero, puntsLost: zero };
    const routes = new Map(this.counters);
    return Promise.resolve({
      route: (name) => routes.get(name),
      vport: (id) => (id === 1 ? vport : undefined),
      routeNames: () => routes.keys(),
      activeSince: (earlier) => [
        [...this.routes].filter(([name]) => routes.get(name)?.packets !== earlier.route(name)?.packets).map(([, route]) => route),
      ],
    });
  }

  readonly resent: { readonly vport: VportId; readonly frame: Uint8Array }[] = [];

  resend({ vport, frame }: Punt): Promise<void> {
    this.resent.push({ vport, frame });
    return Promise.resolve();
  }

  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    this.sent.push({ vport, frame });
    return undefined;
  }

  verification: Verification = { repairs: new Map(), problems: [] };

  verify(): Promise<Verification> {
    return Promise.resolve(this.verification);
  }

  tick(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class FakeKernel {
  readonly #links = new Map<string, LinkState>();
  #listener: (changes: readonly KernelChange[]) => void = () => undefined;
  /** Unicast routes: source → interface index, with the prefix length. */
  readonly unicast = new Map<number, { ifindex: number; prefixLength: number; gateway: undefined }>();

  link(name: string): LinkState | undefined {
    return this.#links.get(name);
  }

  linkByIndex(ifindex: number): LinkState | undefined {
    return [...this.#links.values()].find((link) => link.ifindex === ifindex);
  }

  lookupRoute(address: number) {
    return this.unicast.get(address);
  }

  onChanges(listener: (changes: readonly KernelChange[]) => void): () => void {
    this.#listener = listener;
    return () => undefined;
  }

  set(name: string, link: Partial<LinkState> & { ifindex: number; address?: string }): void {
    const { address, ...rest } = link;
    this.#links.set(name, {
      name,
      macAddress: Uint8Array.of(2, 0, 0, 0, 0, link.ifindex),
      mtu: 1500,
      adminUp: true,
      up: true,
      kind: 'veth',
      addresses: address === undefined ? [] : [{ address: ip(address), length: 24, secondary: false }],
      ...rest,
    } as LinkState);
    this.#listener([]);
  }

  remove(name: string): void {
    this.#links.delete(name);
    this.#listener([]);
  }
}

export function settings(...names: string[]): Settings {
  return toSettings({ interfaces: names.map((name) => ({ name, upstream: name.startsWith('up') })) });
}

/** Where each port stands in `names`, with a host on its subnet: 10.100.N.0/24 upstream, 10.1.N.0/24 downstream, N from 1. */
export function addressOf(name: string, position: number, host: number): string {
  return `10.${name.startsWith('up') ? 100 : 1}.${position + 1}.${host}`;
}

/** Lets promises that are already settled run their continuations. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** All entries of a table, as a list of the API walks over it. */
export function listed<Key, State>({ keys, read }: Pick<WatchTable<Key, State>, 'keys' | 'read'>): State[] {
  return Array.from(keys(), (key) => read(key)).filter((state) => state !== undefined);
}
