/**
 * A data plane in another process: the same interface, over DataplaneService. Sends what it is told in order and believes it done until
 * told otherwise. Without a connection it takes no routes and refuses ports, and the data plane forwards by what it has; when it is back,
 * what is installed becomes what was asked for.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { xmcast } from '#proto';
import { fromWire } from '../api/u64';
import type {
  CounterSnapshot, Dataplane, DataplaneEvents, DataplaneLink, DataplaneUsage, PortAttachment, PortSpec, Punt,
} from '../dataplane/api';
import { nameOf, type RouteChange, type RouteKey, type VportId } from '../mrib/route';
import { Connection, type Connected, type ConnectionOptions, type Described } from './connection';
import type { Result } from './control-stream';
import { readAllCounters, readInstalledPorts, readInstalledRoutes } from './dataplane-reads';
import { FoundPorts } from './found-ports';
import { RemoteCounters } from './remote-counters';
import { keyOf, type Refusal } from './route-batch';
import { RouteMirror } from './route-mirror';
import { changeMessage, policersMessage, portMessage, readAttachment, readPunt, type Policers } from './wire-route';

/** Changes on their way before others have to wait: they wait where a later one can still take the place of an earlier one. */
const MOST_UNDER_WAY = 4096;
/** What an earlier controller has left goes after this, if nobody has asked for it: RFC 3376 §8.4, the group membership interval. */
const HOLD_MS = 260_000;
const WRITTEN_AT_ONCE = 1024;
/** So many readings after one another tell only of what has changed. */
const READINGS_BETWEEN_COMPLETE = 30;

export interface RemoteDataplaneOptions extends DataplaneEvents, Pick<ConnectionOptions, 'target' | 'name' | 'electionId' | 'clock' | 'log'> {
  /** Default HOLD_MS. */
  readonly holdMs?: number;
}

export class RemoteDataplane implements Dataplane {
  readonly #options: RemoteDataplaneOptions;
  readonly #connection: Connection;
  readonly #mirror = new RouteMirror();
  readonly #counters = new RemoteCounters();
  readonly #ports = new Set<VportId>();
  readonly #foundPorts = new FoundPorts();
  #policers: Policers | undefined;
  #dropReasons: readonly string[] = [];
  #usage: DataplaneUsage = { routes: 0, routeLimit: 0, groups: 0, groupLimit: 0 };
  /** Of the data plane that has what this controller wants; undefined: that has to be looked at. */
  #epoch: string | undefined;
  /** Of its tables, after the last thing that was done. */
  #version = 0n;
  /** What is found there may stay until then. */
  #holdUntilMs: number | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
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

  get link(): DataplaneLink {
    const { isUp, sinceMs, problem, connects } = this.#connection;
    return { target: this.#options.target, isUp, sinceMs, problem, connects, puntsLost: this.#puntsLost };
  }

  get isBusy(): boolean {
    const isBusy = !this.#connection.isUp || this.#mirror.underWay >= MOST_UNDER_WAY;
    this.#isHeldBack ||= isBusy;
    return isBusy;
  }

  /** Resolves when it is up, or when so much time is over. */
  whenUp(timeoutMs: number): Promise<void> {
    if (this.#connection.isUp) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waitingForUp.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async setPort(port: PortSpec): Promise<PortAttachment> {
    const { stream } = this.#connected();
    this.#ports.add(port.vport);
    const { inTheWay, isSame } = this.#foundPorts.claim(port);
    if (!isSame) this.#sweepRoutes('its interfaces have other numbers now');
    for (const vport of inTheWay) if (!this.#ports.has(vport)) await stream.ask({ removePort: vport });
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
    this.#gather(this.#mirror.foundBeside(changes));
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
    this.#connection.up?.stream.tell({ resend: { vport: punt.vport, frame: punt.frame, source, group } });
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

  close(): Promise<void> {
    clearTimeout(this.#holdTimer);
    this.#connection.close();
    return Promise.resolve();
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

  async #reconcile({ client, stream }: Connected): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    this.#holdUntilMs ??= nowMs + (this.#options.holdMs ?? HOLD_MS);
    const adopts = nowMs < this.#holdUntilMs;
    const [ports, routes] = await Promise.all([readInstalledPorts(client), readInstalledRoutes(client, nowMs)]);
    const strange = ports.filter(({ vport }) => !this.#ports.has(vport));
    this.#foundPorts.reset(adopts ? strange : []);
    if (!adopts) for (const { vport } of strange) await stream.ask({ removePort: vport });
    const changes = this.#mirror.compare(routes, adopts);
    for (let start = 0; start < changes.length; start += WRITTEN_AT_ONCE) {
      this.#send({ client, stream }, changes.slice(start, start + WRITTEN_AT_ONCE));
      await nextTurn();
    }
    if (adopts) this.#planSweep(this.#holdUntilMs - nowMs);
  }

  #up(): void {
    const { log, target, onLinkUp, onReady } = this.#options;
    const [routes, found] = [this.#mirror.size, this.#mirror.foundCount];
    log.info({ target, routes, found }, `drives the data plane at ${target}`);
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

  #planSweep(delayMs: number): void {
    clearTimeout(this.#holdTimer);
    this.#holdTimer = setTimeout(() => {
      const { up } = this.#connection;
      // On the next connection the comparison does it.
      if (up === undefined) return;
      this.#sweepRoutes('nobody has asked for them');
      for (const vport of this.#foundPorts.takeAll()) up.stream.tell({ removePort: vport });
    }, delayMs).unref();
  }

  #sweepRoutes(reason: string): void {
    this.#flush();
    const { up } = this.#connection;
    const changes = this.#mirror.takeFound();
    if (up === undefined || changes.length === 0) return;
    this.#options.log.info({ routes: changes.length }, `removes ${changes.length} routes of an earlier controller: ${reason}`);
    for (let start = 0; start < changes.length; start += WRITTEN_AT_ONCE) this.#send(up, changes.slice(start, start + WRITTEN_AT_ONCE));
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
