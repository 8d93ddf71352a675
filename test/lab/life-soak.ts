/**
 * A long life: many restarts of every kind between interfaces that change in every way, then many more changes under one daemon. In the
 * end everything is as at first, and a LAN that nothing happened to has lost nothing. For a test in short, for `npm run soak:life` at length.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Daemon } from './daemon';
import { eventually } from './eventually';
import { FLAPS, FlappingLan } from './life-flaps';
import { residentMib, routesOf, takeInventory, type Inventory } from './life-inventory';
import type { Receiver } from './receiver';
import type { Sender } from './sender';
import { createStar, SOURCE, type Star } from './star';

export interface SoakOptions {
  readonly restarts: number;
  readonly flaps: number;
  /** Of the order in which things happen. */
  readonly seed: number;
  readonly onProgress?: (done: string) => void;
}

export interface SoakResult {
  readonly before: Inventory;
  readonly after: Inventory;
  /** By the LAN that nothing happened to; starts with --flush, which are to forget everything, left out. */
  readonly lost: number;
  readonly repeated: number;
  /** Of the last daemon, over its flaps. */
  readonly grownMib: number;
}

/** SIGKILL and SIGTERM; the next start is itself ended at a random time; the next start is to begin with nothing. */
const RESTARTS = ['SIGKILL', 'SIGTERM', 'SIGKILL', 'cut short', 'SIGTERM', 'cut short', 'SIGKILL', 'cut short', 'SIGTERM', 'flush'] as const;
type Restart = (typeof RESTARTS)[number];

const G = '239.1.1.1';
const igmp = { query_response_interval: '0.1s' };
const PATIENCE_MS = 60_000;
/** Of the flaps, how many are waited for. The others follow at once, whatever the daemon has seen by then. */
const AWAITED = 0.25;

/** Rejects when something that must be there again does not come. */
export async function soakLife(options: SoakOptions): Promise<SoakResult> {
  const star = await createStar('soak', [{ name: 'host1' }, { name: 'host2' }]);
  try {
    const life = await Life.begin(star, options);
    return await life.live(options);
  } finally {
    await star.lab.close();
  }
}

interface LifeParts {
  readonly daemon: Daemon;
  readonly lan: FlappingLan;
  /** Of the LAN that nothing happens to. */
  readonly untouched: Receiver;
  readonly sender: Sender;
}

class Life {
  readonly #star: Star;
  readonly #parts: LifeParts;
  readonly #random: () => number;
  readonly #onProgress: (done: string) => void;
  readonly #startedMs = performance.now();
  #daemon: Daemon;
  /** In which a start is cut short: about as long as one takes. */
  #startMs = 1000;
  #flaps = 0;
  /** By starts that were to forget everything. */
  #lostOnPurpose = 0;

  private constructor(star: Star, parts: LifeParts, { seed, onProgress = () => undefined }: SoakOptions) {
    this.#star = star;
    this.#parts = parts;
    this.#daemon = parts.daemon;
    this.#random = randomFrom(seed);
    this.#onProgress = onProgress;
  }

  static async begin(star: Star, options: SoakOptions): Promise<Life> {
    const daemon = await star.start({ igmp });
    const [host] = star.hosts;
    if (host === undefined) throw new Error('no host');
    const untouched = await star.lab.receiver(host, { joins: [G], wire: false });
    const lan = await FlappingLan.open(star, 1, G);
    await eventually(async () => (await daemon.client.listMemberships({})).length === 2, { what: 'both hosts are members', timeoutMs: PATIENCE_MS });
    const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 200, size: 200 });
    const life = new Life(star, { daemon, lan, untouched, sender }, options);
    await life.#isServed();
    return life;
  }

  async live({ restarts, flaps }: SoakOptions): Promise<SoakResult> {
    const before = await takeInventory(this.#star.router, this.#daemon);
    // Half of the flaps are among the restarts, the others under the daemon that stays.
    const among = Math.floor(flaps / 2);
    for (let round = 1; round <= restarts; round++) {
      await this.#restart(RESTARTS[round % RESTARTS.length] ?? 'SIGKILL');
      while (this.#flaps < (among * round) / restarts) await this.#flap();
      if (round % 10 === 0) this.#report(`${round} restarts`);
    }
    // Memory that is taken once is not memory that grows.
    const warm = among + Math.floor((flaps - among) / 4);
    while (this.#flaps < warm) await this.#flap();
    const warmMib = await residentMib(this.#daemon);
    while (this.#flaps < flaps) await this.#flap();
    const after = await this.#settled(before);
    return { before, after, grownMib: (await residentMib(this.#daemon)) - warmMib, ...(await this.#faults()) };
  }

  async #flap(): Promise<void> {
    await this.#change();
    if (this.#random() < AWAITED) await this.#isServed();
    if (this.#flaps % 100 === 0) this.#report(`${await residentMib(this.#daemon).then(Math.round)} MiB`);
  }

  async #change(): Promise<void> {
    const kind = FLAPS[Math.floor(this.#random() * FLAPS.length)] ?? 'down-up';
    await this.#parts.lan.flap(kind);
    this.#flaps++;
  }

  async #restart(kind: Restart): Promise<void> {
    this.#daemon.process.signal(kind === 'SIGTERM' ? 'SIGTERM' : 'SIGKILL');
    await this.#daemon.process.exited;
    this.#daemon.client.close();
    // A third of them finds an interface changed that it has never seen change.
    if (this.#random() < 1 / 3) await this.#change();
    if (kind === 'cut short') await this.#cutShort();
    const { lost } = await this.#seen();
    const startedMs = performance.now();
    this.#daemon = await this.#star.start({ igmp }, kind === 'flush' ? ['--flush'] : []);
    this.#startMs = performance.now() - startedMs;
    if (kind !== 'flush') return;
    await this.#isServed();
    this.#lostOnPurpose += (await this.#seen()).lost - lost;
  }

  async #cutShort(): Promise<void> {
    const child = Daemon.launch(this.#star.lab, this.#star.router, { ...this.#star.config, igmp });
    await Promise.race([pause(this.#random() * this.#startMs), child.exited]);
    child.signal('SIGKILL');
    await child.exited;
  }

  /** The LAN that flaps is in use, and the stream arrives at the one that does not. */
  async #isServed(): Promise<void> {
    const { name } = this.#parts.lan;
    const { sent } = await this.#parts.sender.stats();
    const isInUse = async (): Promise<boolean> => {
      const routes = await routesOf(this.#daemon, G);
      return routes.length === 2 && routes.every((route) => route.endsWith(`lan1,${name}`));
    };
    await eventually(isInUse, { what: `${name} is in use again`, timeoutMs: PATIENCE_MS });
    await eventually(async () => ((await this.#seen()).lastSequence ?? 0) > sent, { what: 'the stream arrives', timeoutMs: PATIENCE_MS });
  }

  async #settled(before: Inventory): Promise<Inventory> {
    let now = await takeInventory(this.#star.router, this.#daemon);
    const isAsBefore = async (): Promise<boolean> => {
      now = await takeInventory(this.#star.router, this.#daemon);
      return isDeepStrictEqual(now, before);
    };
    // What is not as before is for the caller to say.
    await eventually(isAsBefore, { what: 'everything is as it was', timeoutMs: PATIENCE_MS, intervalMs: 500 }).catch(() => undefined);
    return now;
  }

  async #faults(): Promise<Pick<SoakResult, 'lost' | 'repeated'>> {
    const { lost, duplicated } = await this.#seen();
    return { lost: lost - this.#lostOnPurpose, repeated: duplicated };
  }

  #seen(): ReturnType<Receiver['flow']> {
    return this.#parts.untouched.flow({ group: G, streamId: this.#parts.sender.streamId });
  }

  #report(what: string): void {
    const elapsedS = (performance.now() - this.#startedMs) / 1000;
    this.#onProgress(`${elapsedS.toFixed(0)} s: ${this.#flaps} flaps (${((60 * this.#flaps) / elapsedS).toFixed(0)} a minute), ${what}`);
  }
}

/** From 0 to 1, the same for the same seed: a linear congruence, by Numerical Recipes. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
