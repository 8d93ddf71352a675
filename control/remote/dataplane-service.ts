/**
 * DataplaneService over the data plane of this process. Keeps house for it (tick) as the router does where both are in one process.
 */
import { randomUUID } from 'node:crypto';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { toWire, toWireMap } from '../api/u64';
import { toWireTime } from '../api/wire-time';
import type { DataplaneEvents, LocalDataplane, Punt } from '../dataplane/api';
import type { Clock } from '../kernel/clock';
import { DeadlineDriver } from '../kernel/deadline-driver';
import type { KernelView } from '../kernel/kernel-view';
import type { Log } from '../log';
import type { CounterPiece } from './counter-codec';
import { CounterReadings } from './counter-readings';
import { LinkFeed } from './link-feed';
import { Operations, type Outcome } from './operations';
import { Primary, type Claim, type Verdict } from './primary';
import { ServerSession, type ControlCall } from './server-session';
import { attachmentMessage, portMessage, routeMessage } from './wire-route';
import { writePieces } from './write-pieces';

const ROUTES_IN_A_PIECE = 1024;

export type RoutesCall = ServerWritableStream<xmcast.v1.ReadRoutesRequest, xmcast.v1.ReadRoutesResponse.$Properties>;
export type LinksCall = ServerWritableStream<xmcast.v1.WatchLinksRequest, xmcast.v1.WatchLinksResponse.$Properties>;
export type CountersCall = ServerWritableStream<xmcast.v1.ReadCountersRequest, CounterPiece>;

export interface DataplaneServiceOptions {
  readonly dataplane: LocalDataplane;
  readonly kernel: Pick<KernelView, 'links' | 'routeChoices' | 'onChanges'>;
  /** What the last comparison of what is installed could not put right. */
  readonly problems: () => readonly string[];
  readonly clock: Clock;
  readonly version: string;
  readonly log: Log;
}

export class DataplaneService implements Pick<DataplaneEvents, 'onPunts' | 'onRoom' | 'onTrouble'> {
  readonly #options: DataplaneServiceOptions;
  readonly #epoch = randomUUID();
  readonly #startedAtMs: number;
  readonly #primary = new Primary<ServerSession>();
  readonly #sessions = new Set<ServerSession>();
  readonly #operations: Operations;
  readonly #readings: CounterReadings;
  readonly #driver: DeadlineDriver;
  readonly #links: LinkFeed;
  readonly #closed = new AbortController();
  #puntsLost = 0n;
  #dueMs: number | undefined;

  constructor(options: DataplaneServiceOptions) {
    const { dataplane, kernel, clock } = options;
    this.#options = options;
    this.#links = new LinkFeed(kernel);
    this.#startedAtMs = clock.nowWallMs();
    this.#operations = new Operations({ dataplane, nowMs: () => clock.nowMs(), onTrouble: (message) => this.onTrouble(message) });
    this.#readings = new CounterReadings({ dataplane, vports: () => this.#operations.everSet, usage: () => this.#usage() });
    this.#driver = new DeadlineDriver(clock, { nextDeadline: () => this.#dueMs, onDeadline: () => this.#keepHouse() });
  }

  readonly onPunts = (punts: readonly Punt[]): void => {
    const lost = this.#primary.holder?.punted(punts, this.#puntsLost) ?? punts.length;
    this.#puntsLost += BigInt(lost);
  };

  readonly onRoom = (): void => this.#primary.holder?.say({ roomMade: true });

  readonly onTrouble = (message: string): void => {
    this.#options.log.error({}, message);
    this.#primary.holder?.say({ troubles: [message] });
  };

  getDataplane(): xmcast.v1.GetDataplaneResponse.$Properties {
    const { dataplane, problems, version } = this.#options;
    const claim = this.#primary.claim;
    return {
      version,
      epoch: this.#epoch,
      tableVersion: this.#operations.version,
      primary: claim?.name ?? '',
      electionId: toWire(claim?.electionId ?? 0n),
      dropReasons: [...dataplane.dropReasons],
      maxVport: dataplane.maxVport,
      usage: this.#usage(),
      puntsLost: toWire(this.#puntsLost),
      repairs: toWireMap(dataplane.repairs),
      problems: [...problems()],
      startTime: toWireTime(this.#startedAtMs),
    };
  }

  listPorts(): xmcast.v1.ListPortsResponse.$Properties {
    return {
      ports: this.#operations.ports.map(({ port, attachment }) => ({
        port: portMessage(port),
        ...(attachment === undefined ? {} : { attachment: attachmentMessage(attachment) }),
      })),
    };
  }

  control(call: ControlCall): void {
    this.#sessions.add(
      new ServerSession(call, {
        ask: (claim, session) => this.#ask(claim, session),
        carryOut: (request) => this.#carryOut(request),
        describe: () => this.getDataplane(),
        after: () => ({ tableVersion: this.#operations.version, usage: this.#usage() }),
        onEnd: (session) => this.#ended(session),
      }),
    );
  }

  readRoutes(call: RoutesCall): Promise<void> {
    return writePieces(call, () => this.#routePieces());
  }

  readCounters(call: CountersCall): Promise<void> {
    const { since } = call.request;
    return writePieces(call, () => this.#readings.read(typeof since === 'number' ? since : since.toNumber()));
  }

  watchLinks(call: LinksCall): Promise<void> {
    return writePieces(call, (gone) => this.#links.watch(AbortSignal.any([gone, this.#closed.signal])));
  }

  /** Controllers are told that it is over; what is installed stays as it is. */
  close(): void {
    this.#closed.abort();
    this.#driver.close();
    for (const session of this.#sessions) session.end(status.UNAVAILABLE, 'the data plane is stopping');
  }

  #ask(claim: Claim, session: ServerSession): Verdict<ServerSession> {
    const verdict = this.#primary.ask(claim, session);
    const fields = { controller: claim.name, electionId: String(claim.electionId) };
    if (verdict.granted) this.#options.log.info(fields, `controller "${claim.name}" is primary`);
    else this.#options.log.warn(fields, `controller "${claim.name}" refused: "${verdict.holder.name}" is primary`);
    return verdict;
  }

  #ended(session: ServerSession): void {
    this.#sessions.delete(session);
    if (this.#primary.holder !== session) return;
    const name = this.#primary.claim?.name ?? '';
    this.#primary.leave(session);
    this.#options.log.warn({ controller: name }, `controller "${name}" is gone; forwarding goes on as it is`);
  }

  #carryOut(request: xmcast.v1.ControlRequest.$Properties): Outcome | Promise<Outcome> {
    const outcome = this.#operations.carryOut(request);
    this.#planHousekeeping();
    return outcome;
  }

  #planHousekeeping(): void {
    this.#dueMs = this.#options.dataplane.tick(this.#options.clock.nowMs());
    this.#driver.rearm();
  }

  #keepHouse(): void {
    this.#planHousekeeping();
  }

  #usage(): xmcast.v1.DataplaneUsage.$Properties {
    const { routes, routeLimit, groups, groupLimit } = this.#options.dataplane.usage;
    return { routes, routesLimit: routeLimit, replicationGroups: groups, replicationGroupsLimit: groupLimit };
  }

  *#routePieces(): Generator<xmcast.v1.ReadRoutesResponse.$Properties> {
    const nowMs = this.#options.clock.nowMs();
    let routes: xmcast.v1.InstalledRoute.$Properties[] = [];
    for (const { route, installedAtMs } of this.#options.dataplane.installedRoutes()) {
      routes.push({ route: routeMessage(route), age: toWireTime(nowMs - installedAtMs) });
      if (routes.length < ROUTES_IN_A_PIECE) continue;
      yield { routes };
      routes = [];
    }
    if (routes.length > 0) yield { routes };
  }
}
