/**
 * A daemon that crashes somewhere in its start, and the plain start after that: it must succeed and have what there was before, under a
 * stream that notices nothing where there is something to take over. For a test in short, for `npm run soak:crash` at length.
 *
 *     source ── up0 [xmcastd] lan1 ── host1
 *                             lan2 ── host2
 */
import { existsSync, readdirSync } from 'node:fs';
import { CrashSteps } from './crash-steps';
import { Daemon, type DaemonConfig } from './daemon';
import { eventually } from './eventually';
import { faultsBetween, Flood } from './flood';
import type { LabProcess } from './lab-process';
import { routesOf } from './life-inventory';
import { createStar, SOURCE, type Star } from './star';

/** first: nothing is there. take-over: of the same layout. migration: to tables of another size. flush: everything is to go first. */
export const STARTS = ['first', 'take-over', 'migration', 'flush'] as const;
export type StartKind = (typeof STARTS)[number];

const G = '239.1.1.1';
const RATE_PPS = 20_000;
/** Hosts answer the first query of a daemon at once. */
const igmp = { query_response_interval: '0.1s' };
const PATIENCE_MS = 60_000;
const PORTS = ['up0', 'lan1', 'lan2'];
const ROUTES = [`*/${G} lan1,lan2`, `${SOURCE}/${G} lan1,lan2`];

export class StartCrashes {
  readonly #star: Star;
  readonly #steps: CrashSteps;
  readonly #flood: Flood;
  /** Devices as they were before the first start of all. */
  readonly #flagsBefore: string;
  #config: DaemonConfig;
  #daemon: Daemon;

  private constructor(star: Star, { steps, flood, flagsBefore, daemon }: { steps: CrashSteps; flood: Flood; flagsBefore: string; daemon: Daemon }) {
    this.#star = star;
    this.#steps = steps;
    this.#flood = flood;
    this.#flagsBefore = flagsBefore;
    this.#config = configOf(star, 0);
    this.#daemon = daemon;
  }

  /** With a daemon that forwards a stream to both hosts. */
  static async open(name: string): Promise<StartCrashes> {
    const star = await createStar(name, [{ name: 'host1' }, { name: 'host2' }]);
    try {
      const [steps, flagsBefore] = await Promise.all([CrashSteps.build(star.lab), deviceFlags(star)]);
      const daemon = await Daemon.start(star.lab, star.router, configOf(star, 0));
      for (const host of star.hosts) await star.lab.receiver(host, { joins: [G] });
      const flood = await Flood.open(star.lab, { from: star.source, source: SOURCE, to: star.hosts, group: G });
      await eventually(async () => (await daemon.client.listMemberships({})).length === 2, { what: 'both hosts are members', timeoutMs: PATIENCE_MS });
      await flood.start(RATE_PPS);
      const crashes = new StartCrashes(star, { steps, flood, flagsBefore, daemon });
      await crashes.#hasEverything();
      return crashes;
    } catch (error) {
      await star.lab.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#star.lab.close();
  }

  /** All that such a start changes, until it has cleaned up behind itself. */
  async changesOf(kind: StartKind): Promise<readonly string[]> {
    await this.#prepare(kind);
    const child = this.#launch(kind);
    await this.#hasSettled(child);
    const changes = this.#steps.changes();
    await this.#recover(kind, child);
    return changes;
  }

  /**
   * Such a start, ended before its change number `at`, and a plain one after it. Resolves with the change; rejects when something is not as
   * it should be. A start that makes fewer changes this time is ended when it has cleaned up.
   */
  async crash(kind: StartKind, at: number): Promise<string> {
    const before = await this.#flood.report();
    await this.#prepare(kind);
    const child = this.#launch(kind, at);
    await Promise.race([child.exited, this.#hasSettled(child)]);
    const change = this.#steps.changes()[at - 1] ?? 'after all changes';
    try {
      await this.#recover(kind, child);
      if (isSeamless(kind)) await this.#expectNoLoss(before);
    } catch (error) {
      throw new Error(`${kind}, crash ${at}: before ${change}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    return change;
  }

  async #prepare(kind: StartKind): Promise<void> {
    if (kind === 'first') await this.#detach();
    else await kill(this.#daemon);
    if (kind === 'migration') this.#config = configOf(this.#star, this.#config['limits'] === undefined ? 1000 : 0);
  }

  #launch(kind: StartKind, crashAt?: number): LabProcess {
    const extra = kind === 'flush' ? ['--flush'] : [];
    return Daemon.launch(this.#star.lab, this.#star.router, this.#config, { extra, env: this.#steps.environment(crashAt) });
  }

  /** It serves, and nothing of a generation before is left. Resolves also when it has ended. */
  async #hasSettled(child: LabProcess): Promise<void> {
    const isDone = (): boolean => child.hasExited || (child.stdout.includes('xmcastd is ready') && this.#generations().length === 1);
    await eventually(isDone, { what: 'the start is over', timeoutMs: PATIENCE_MS });
  }

  async #recover(kind: StartKind, crashed: LabProcess): Promise<void> {
    crashed.signal('SIGKILL');
    await crashed.exited;
    this.#daemon = await Daemon.start(this.#star.lab, this.#star.router, this.#config);
    if (isSeamless(kind)) await this.#hasTakenOver();
    await this.#hasEverything();
    await eventually(() => this.#generations().length === 1, { what: 'one generation is left', timeoutMs: PATIENCE_MS });
    this.#expectNoRemains();
  }

  async #hasTakenOver(): Promise<void> {
    const { takeover } = await this.#daemon.client.getStatus();
    if (takeover?.ports !== PORTS.length || takeover.routes !== ROUTES.length) throw new Error(`took over ${JSON.stringify(takeover)} of ${PORTS.length} ports and ${ROUTES.length} routes`);
    const routes = await routesOf(this.#daemon, G);
    if (routes.join() !== ROUTES.join()) throw new Error(`took over the routes ${routes.join('; ')}`);
  }

  async #hasEverything(): Promise<void> {
    await eventually(async () => (await this.#daemon.client.listMemberships({})).length === 2, { what: 'both hosts are members', timeoutMs: PATIENCE_MS });
    await eventually(async () => (await routesOf(this.#daemon, G)).join() === ROUTES.join(), { what: 'the stream has its routes', timeoutMs: PATIENCE_MS });
    const { sent } = await this.#flood.report();
    await eventually(async () => (await this.#flood.report()).receivers.every(({ next }) => next > sent), { what: 'the stream arrives', timeoutMs: PATIENCE_MS });
  }

  #expectNoRemains(): void {
    const odd = readdirSync(this.#daemon.pinPath).filter((name) => !/^(current|\d+|(link|filter)_\d+(_\w+)?)$/.test(name));
    const generation = `${this.#daemon.pinPath}/${this.#generations().join()}`;
    odd.push(...readdirSync(generation).filter((name) => name.endsWith('_new')));
    if (odd.length > 0) throw new Error(`${odd.join()} is left in ${this.#daemon.pinPath}`);
  }

  async #expectNoLoss(before: FloodReport): Promise<void> {
    const report = await this.#flood.report();
    const faults = faultsBetween(before, report);
    if (faults.some(({ lost, repeated }) => lost !== 0 || repeated !== 0)) throw new Error(`of ${report.sent - before.sent} packets: ${JSON.stringify(faults)}`);
  }

  /** As before the first start of all. */
  async #detach(): Promise<void> {
    await this.#daemon.ctlText('detach');
    await this.#daemon.process.exited;
    this.#daemon.client.close();
    const flags = await deviceFlags(this.#star);
    if (flags !== this.#flagsBefore) throw new Error(`after detach the devices are ${flags}, before the first start they were ${this.#flagsBefore}`);
    if (existsSync(this.#daemon.pinPath)) throw new Error(`after detach ${this.#daemon.pinPath} is still there`);
  }

  #generations(): readonly string[] {
    const { pinPath } = this.#daemon;
    return existsSync(pinPath) ? readdirSync(pinPath).filter((name) => /^\d+$/.test(name)) : [];
  }
}

type FloodReport = Awaited<ReturnType<Flood['report']>>;

/** Whether there is something to take over, without a gap in the stream. */
function isSeamless(kind: StartKind): boolean {
  return kind === 'take-over' || kind === 'migration';
}

/** `routes`: size of the tables; 0: as usual. */
function configOf({ config }: Star, routes: number): DaemonConfig {
  return { ...config, igmp, ...(routes === 0 ? {} : { limits: { routes } }) };
}

async function kill({ process, client }: Daemon): Promise<void> {
  process.signal('SIGKILL');
  await process.exited;
  client.close();
}

/** Programs, and what frames they let in. */
async function deviceFlags({ router }: Star): Promise<string> {
  const links = JSON.parse(await router.run(['ip', '-j', '-d', 'link', 'show'])) as readonly { readonly ifname: string; readonly allmulti: number; readonly promiscuity: number; readonly xdp?: object }[];
  return links.map(({ ifname, allmulti, promiscuity, xdp }) => `${ifname}: allmulti ${allmulti} promiscuity ${promiscuity} xdp ${xdp !== undefined}`).join('; ');
}
