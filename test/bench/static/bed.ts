/**
 * The network of the bench, and the daemon in it:
 *
 *     source0 ── up0 [router] lan1 … lan8 ── hosts
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ApiClient } from '../../../control/api/client';
import { inLabMode } from '../../lab/daemon';
import { Lab } from '../../lab/lab';
import type { Namespace } from '../../lab/namespace';
import { inRepository } from '../../lab/repository';
import { TrafficProcess } from '../../lab/traffic-process';
import type { Answers, Request, Watched } from './protocol';

const WORKER = 'build/test/bench/static/worker.js';
/** Room for what is measured with a number of its own. */
const MIN_LIMIT = 16_384;
const CALL_TIMEOUT_MS = 120_000;
export const LANS = 8;

export class Bed {
  readonly client: ApiClient;
  readonly #lab: Lab;
  readonly #router: Namespace;
  readonly #worker: TrafficProcess;

  private constructor(lab: Lab, router: Namespace, worker: TrafficProcess, socketPath: string) {
    this.#lab = lab;
    this.#router = router;
    this.#worker = worker;
    this.client = new ApiClient({ target: `unix://${socketPath}`, timeoutMs: CALL_TIMEOUT_MS });
  }

  /** `entries`: how many there will be at most. */
  static async create(entries: number): Promise<Bed> {
    const lab = await Lab.create('bench-static');
    try {
      return await Bed.#build(lab, entries);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  static async #build(lab: Lab, entries: number): Promise<Bed> {
    const [router, far] = [await lab.namespace('router'), await lab.namespace('far')];
    await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [far, 'source0', '10.100.0.2/24'] });
    for (let i = 1; i <= LANS; i++) await lab.link({ between: [router, `lan${i}`, `10.1.${i}.1/24`], and: [far, `host${i}`, `10.1.${i}.2/24`] });
    const socketPath = join(lab.directory, 'control.sock');
    const pinPath = `/sys/fs/bpf/xmcast-${lab.id}-static`;
    lab.removeOnClose(pinPath);
    const lans = Array.from({ length: LANS }, (_, i) => ({ name: `lan${i + 1}` }));
    const config = {
      interfaces: inLabMode([{ name: 'up0', upstream: true }, ...lans]),
      limits: { routes: Math.max(MIN_LIMIT, 2 * entries), static_entries: Math.max(MIN_LIMIT, 2 * entries) },
      dataplane: { pin_path: pinPath },
      api: { socket: socketPath },
      metrics: { listen: 'off' },
    };
    const configPath = join(lab.directory, 'xmcast.yaml');
    writeFileSync(configPath, stringify(config));
    // As deploy/bin/xmcastd runs the daemon, and with a way to tell what is still in use.
    const argv = [process.execPath, '--max-semi-space-size=8', '--expose-gc', '--enable-source-maps', inRepository(WORKER)];
    const worker = await TrafficProcess.start(lab.spawn(router, argv, { name: 'xmcastd' }));
    const bed = new Bed(lab, router, worker, socketPath);
    await bed.#ask({ do: 'open', configPath, stateDir: join(lab.directory, 'state') });
    return bed;
  }

  /** The work, and what the daemon's event loop had to endure meanwhile. */
  async watch<Result>(work: () => Promise<Result>): Promise<Watched & { readonly result: Result; readonly wallMs: number }> {
    await this.#ask({ do: 'begin' });
    const started = performance.now();
    const result = await work();
    const wallMs = performance.now() - started;
    return { result, wallMs, ...(await this.#ask({ do: 'end' })) };
  }

  async heapBytes(): Promise<number> {
    return (await this.#ask({ do: 'heap' })).bytes;
  }

  async setLink(name: string, state: 'up' | 'down'): Promise<void> {
    await this.#router.run(['ip', 'link', 'set', 'dev', name, state]);
  }

  async close(): Promise<void> {
    this.client.close();
    try {
      await this.#ask({ do: 'close' });
    } finally {
      await this.#lab.close();
    }
  }

  #ask<R extends Request>(request: R): Promise<Answers[R['do']]> {
    return this.#worker.command<Answers[R['do']]>(JSON.stringify(request));
  }
}
