/**
 * A data plane in another process: the same interface, over DataplaneService. Sends what it is told in order and believes it done until
 * told otherwise. Without a connection it takes no routes and refuses ports, and the data plane forwards by what it has; when it is back,
 * what is installed becomes what was asked for.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { xmcast } from '#proto';
import { fromWire } from '../api/u64';
import { REPAIR_KINDS } from '../dataplane/api';
import type {
  CounterSnapshot, Dataplane, DataplaneEvents, DataplaneLink, DataplaneUsage, InstalledRoute, PortAttachment, PortSpec, Punt, RepairKind, TakenOver,
  Verification,
} from '../dataplane/api';
import { nameOf, type RouteChange, type RouteKey, type VportId } from '../mrib/route';
import { Connection, type Connected, type ConnectionOptions, type Described } from './connection';
import type { Result } from './control-stream';
import { readAllCounters, readDataplane, readInstalledPorts, readInstalledRoutes } from './dataplane-reads';
import { RemoteCounters } from './remote-counters';
import { keyOf, type Refusal } from './route-batch';
import { RouteMirror } from './route-mirror';
import { changeMessage, policersMessage, portMessage, readAttachment, readPunt, type Policers } from './wire-route';

/** Changes on their way before others have to wait: they wait where a later one can still take the place of an earlier one. */
const MOST_UNDER_WAY = 4096;
const WRITTEN_AT_ONCE = 1024;
/** So many readings after one another tell only of what has changed. */
const READINGS_BETWEEN_COMPLETE = 30;
/** Repairs are logged where they are made. */
const NOTHING_FOUND: Verification = { repairs: new Map(), problems: [] };

export interface RemoteDataplaneOptions extends DataplaneEvents, Pick<ConnectionOptions, 'target' | 'tls' | 'name' | 'electionId' | 'clock' | 'log'> {}

export class RemoteDataplane implements Dataplane {
  readonly #options: RemoteDataplaneOptions;
  readonly #connection: Connection;
  readonly #mirror = new RouteMirror();
  readonly #counters = new RemoteCounters();
  readonly #ports = new Set<VportId>();
  #policers: Policers | undefined;
  #dropReasons: readonly string[] = [];
  #usage: DataplaneUsage = { routes: 0, routeLimit: 0, groups: 0, groupLimit: 0 };
  /** Of the data plane that has what this controller wants; undefined: that has to be looked at. */
  #epoch: string | undefined;
  /** Of its tables, after the last thing that was done. */
  #version = 0n;
  #takenOver: TakenOver | undefined;
  /** The first connection takes over what it finds; when the router has begun without one, it is too late for that. */
  #mayTakeOver = true;
  #repairs: ReadonlyMap<RepairKind, bigint> = new Map();
  #puntsLost = 0n;
  /** isBusy has been read as true, and nobody was told of its end. */
  #isHeldBack = false;
  #readings = 0;
  /** Changes of this turn that are not sent yet. */
  readonly #gathered = new Map<string, RouteChange>();
  readonly #waitingForUp = new Set<() => void>();

  private constructor(options: RemoteDataplaneOptions) {
    this.#options = options;
    this.#connection = new Connection({
      ...options,
      prepare: (connected, described) => this.#prepare(connected, described),
      onUp: () => this.#up(),
      onDown: () => this.#down(),
      onNews: (news) => this.#takeNews(news),
      onResult: (result) => this.#takeResult(result),
      onFailure: ({ message, error }) => options.log.debug({ error }, message ?? ''),
    });
  }

  /** Connects in the background, again and again. */
  static open(options: RemoteDataplaneOptions): RemoteDataplane {
    const dataplane = new RemoteDataplane(options);
    dataplane.#connection.start();
    return dataplane;
  }

  get dropReasons(): readonly string[] {
    return this.#dropReasons;
  }

  get usage(): DataplaneUsage {
    return this.#usage;
  }

  get repairs(): ReadonlyMap<RepairKind, bigint> {
    return this.#repairs;
  }

  get takenOver(): TakenOver | undefined {
    return this.#takenOver;
  }

  get link(): DataplaneLink {
    const { isUp, sinceMs, problem, connects } = this.#connection;
    return { target: this.#options.target, isUp, sinceMs, problem, connects, puntsLost: this.#puntsLost };
  }

  get isBusy(): boolean {
    const isBusy = !this.#connection.isUp || this.#mirror.underWay >= MOST_UNDER_WAY;
    this.#isHeldBack ||= isBusy;
    return isBusy;
  }

  /** Resolves when it is up, or when so much time is over: what is found later is not taken over any more. */
  async whenUp(timeoutMs: number): Promise<void> {
    if (!this.#connection.isUp) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#waitingForUp.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.#mayTakeOver = false;
  }

  async setPort(port: PortSpec): Promise<PortAttachment> {
    const { stream } = this.#connected();
    this.#ports.add(port.vport);
    const { attachment } = await stream.ask({ setPort: portMessage(port) });
    return readAttachment(attachment);
  }

  /** Without a connection it is done when there is one. */
  async removePort(vport: VportId): Promise<void> {
    this.#ports.delete(vport);
    try {
      await this.#connected().stream.ask({ removePort: vport });
    } catch (error) {
      if (this.#connection.isUp) throw error;
      this.#epoch = undefined;
    }
  }

  setPolicers(policers: Policers): void {
    this.#policers = policers;
    const { up } = this.#connection;
    if (up === undefined) this.#epoch = undefined;
    else void up.stream.ask({ setPolicers: policersMessage(policers) }).catch(() => (this.#epoch = undefined));
  }

  applyRoutes(changes: readonly RouteChange[]): undefined {
    const { up } = this.#connection;
    if (up === undefined) return;
    this.#gather(changes);
  }

  installedAtMs(name: string): number | undefined {
    return this.#mirror.installedAtMs(name);
  }

  async readCounters(): Promise<CounterSnapshot> {
    const { client } = this.#connected();
    if (this.#readings++ % READINGS_BETWEEN_COMPLETE === 0) this.#counters.forget();
    this.#counters.begin();
    try {
      await readAllCounters(client, this.#counters.since, (piece) => this.#counters.takePiece(piece));
    } catch (error) {
      this.#counters.forget();
      throw this.#connection.isUp ? error : this.#connection.unreachable();
    }
    return this.#counters.finish();
  }

  resend(punt: Punt, { source, group }: RouteKey): Promise<void> {
    this.#flush();
    this.#connection.up?.stream.tell({ resend: { vport: punt.vport, frame: punt.frame, source, group, hostHasIt: punt.hostHasIt ?? false } });
    return Promise.resolve();
  }

  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    const { up } = this.#connection;
    if (up === undefined) return 'ENOTCONN';
    this.#flush();
    up.stream.tell({ transmit: { vport, frame } });
    return undefined;
  }

  /** The data plane keeps house by itself. */
  tick(): undefined {
    return undefined;
  }

  /** The data plane compares by itself: this asks what came of it. */
  async verify(): Promise<Verification> {
    const { up } = this.#connection;
    if (up === undefined) return NOTHING_FOUND;
    try {
      const { repairs, problems } = await readDataplane(up.client);
      const counts = Object.entries(repairs ?? {}).map(([kind, count]) => [kind, fromWire(count)] as const);
      this.#repairs = new Map(counts.filter((entry): entry is readonly [RepairKind, bigint] => isRepairKind(entry[0])));
      return { ...NOTHING_FOUND, problems: problems ?? [] };
    } catch (error) {
      // Said already.
      if (!this.#connection.isUp) return NOTHING_FOUND;
      throw error;
    }
  }

  async close({ keep } = { keep: false }): Promise<void> {
    if (!keep) await this.#removeAll().catch(() => undefined);
    this.#connection.close();
  }

  /** The data plane itself goes on, with nothing to do. */
  async #removeAll(): Promise<void> {
    const { up } = this.#connection;
    if (up === undefined) return;
    this.#flush();
    for (const changes of slicesOf(this.#mirror.removals())) this.#send(up, changes);
    await Promise.all([...this.#ports].map((vport) => up.stream.ask({ removePort: vport })));
  }

  #connected(): Connected {
    const { up } = this.#connection;
    if (up === undefined) throw this.#connection.unreachable();
    return up;
  }

  // ---------------------------------------------------------------- connection

  /** What is installed becomes what is wanted; what a controller before this one has left stays for a while. */
  async #prepare(connected: Connected, described: Described): Promise<void> {
    const [epoch, version] = [described.epoch ?? '', fromWire(described.tableVersion)];
    const isUnchanged = this.#epoch === epoch && this.#version === version;
    if (this.#epoch !== epoch) this.#counters.forget();
    this.#epoch = undefined;
    this.#version = version;
    this.#dropReasons = described.dropReasons ?? [];
    this.#useUsage(described.usage);
    this.#puntsLost = fromWire(described.puntsLost);
    if (!isUnchanged) await this.#reconcile(connected);
    if (this.#policers !== undefined && !isUnchanged) await connected.stream.ask({ setPolicers: policersMessage(this.#policers) });
    this.#epoch = epoch;
  }

  async #reconcile(connected: Connected): Promise<void> {
    const { client, stream } = connected;
    const nowMs = this.#options.clock.nowMs();
    const [ports, routes] = await Promise.all([readInstalledPorts(client), readInstalledRoutes(client, nowMs)]);
    if (this.#mayTakeOver) return this.#takeOver(ports, routes);
    for (const { vport } of ports) if (!this.#ports.has(vport)) await stream.ask({ removePort: vport });
    for (const changes of slicesOf(this.#mirror.compare(routes))) {
      this.#send(connected, changes);
      await nextTurn();
    }
  }

  /** What a controller before this one has left goes on; the router decides what of it is still wanted. */
  #takeOver(ports: TakenOver['ports'], routes: ReadonlyMap<string, InstalledRoute>): void {
    this.#mirror.adopt(routes);
    for (const { vport } of ports) this.#ports.add(vport);
    if (ports.length + routes.size > 0) this.#takenOver = { ports, routes: [...routes.values()].map(({ route }) => route) };
  }

  #up(): void {
    const { log, target, onLinkUp, onReady } = this.#options;
    this.#mayTakeOver = false;
    log.info({ target, routes: this.#mirror.size }, `drives the data plane at ${target}`);
    for (const tell of this.#waitingForUp) tell();
    this.#waitingForUp.clear();
    onLinkUp();
    this.#isHeldBack = false;
    onReady();
  }

  #down(): void {
    // Not sent, and still wanted: the comparison on the next connection writes it.
    if (this.#gathered.size > 0) this.#mirror.sent(0, [...this.#gathered.values()]);
    this.#gathered.clear();
    if (this.#mirror.disconnected()) this.#epoch = undefined;
  }

  // ---------------------------------------------------------------- messages

  /** What comes in the same turn of the event loop goes out together. */
  #gather(changes: readonly RouteChange[]): void {
    if (changes.length === 0) return;
    if (this.#gathered.size === 0) queueMicrotask(() => this.#flush());
    for (const change of changes) {
      const name = nameOf(keyOf(change));
      // Of several changes of one route only the last is sent, in its place: each has an answer of its own.
      this.#gathered.delete(name);
      this.#gathered.set(name, change);
    }
    if (this.#gathered.size >= WRITTEN_AT_ONCE) this.#flush();
  }

  #flush(): void {
    const { up } = this.#connection;
    if (this.#gathered.size === 0 || up === undefined) return;
    const changes = [...this.#gathered.values()];
    this.#gathered.clear();
    this.#send(up, changes);
  }

  #send({ stream }: Connected, changes: readonly RouteChange[]): void {
    const batch = stream.send({ writeRoutes: { changes: changes.map(changeMessage) } });
    this.#mirror.sent(batch, changes);
  }

  #takeResult(result: Result): void {
    this.#version = fromWire(result.tableVersion);
    this.#useUsage(result.usage);
    this.#takeAnswer(result);
    if (!this.#isHeldBack || !this.#connection.isUp || this.#mirror.underWay > MOST_UNDER_WAY / 2) return;
    this.#isHeldBack = false;
    this.#options.onReady();
  }

  #takeAnswer({ sequence, refused: wireRefused, error, message }: Result): void {
    const batch = Number(fromWire(sequence));
    const size = this.#mirror.sizeOf(batch);
    if (size === 0) return;
    const refusals = (wireRefused ?? []).map(({ index, problem }): Refusal => ({ index: index ?? 0, problem: problem ?? '' }));
    const failed = (error ?? '') === '' ? refusals : Array.from({ length: size }, (_, index) => ({ index, problem: message ?? '' }));
    const { changes, refused } = this.#mirror.answered(batch, failed, this.#options.clock.nowMs());
    for (const change of changes) if (change.kind === 'remove') this.#counters.removed(nameOf(keyOf(change)));
    if (changes.length > 0) this.#options.onApplied(changes, refused);
  }

  #takeNews(news: xmcast.v1.ControlResponse.$Properties): void {
    const { onPunts, onRoom, onTrouble } = this.#options;
    for (const trouble of news.troubles ?? []) onTrouble(trouble);
    if (news.roomMade === true) onRoom();
    if ((news.punts ?? []).length === 0) return;
    this.#puntsLost = fromWire(news.puntsLost);
    onPunts((news.punts ?? []).map(readPunt).filter((punt) => punt !== undefined));
  }

  #useUsage(usage: xmcast.v1.DataplaneUsage.$Properties | null | undefined): void {
    if (usage === null || usage === undefined) return;
    this.#usage = {
      routes: usage.routes ?? 0,
      routeLimit: usage.routesLimit ?? 0,
      groups: usage.replicationGroups ?? 0,
      groupLimit: usage.replicationGroupsLimit ?? 0,
    };
  }
}

function slicesOf(changes: readonly RouteChange[]): readonly (readonly RouteChange[])[] {
  return Array.from({ length: Math.ceil(changes.length / WRITTEN_AT_ONCE) }, (_, i) => changes.slice(i * WRITTEN_AT_ONCE, (i + 1) * WRITTEN_AT_ONCE));
}

function isRepairKind(text: string): text is RepairKind {
  return REPAIR_KINDS.some((kind) => kind === text);
}
