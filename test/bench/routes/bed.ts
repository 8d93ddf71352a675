/**
 * The network of the bench and the worker in it:
 *
 *     generator ── up0 [router] out1 ── rx1 ┐
 *                              out2 ── rx2  ├ receivers: one namespace, each end notes arrivals and drops
 *                              …            ┘
 *
 * Frames are put on up0 by the worker. The generator's program is attached to gen0 only to be known to the kernel's XDP dispatcher: else
 * each run would enter and leave it, and wait for RCU both times.
 */
import { Lab } from '../../lab/lab';
import { macFor } from '../../lab/link';
import type { Namespace } from '../../lab/namespace';
import { inRepository } from '../../lab/repository';
import { TrafficProcess } from '../../lab/traffic-process';
import { interfacesOf } from '../../lab/xdp-forwarder';
import type { Answers, Request } from './protocol';

const WORKER = 'build/test/bench/routes/worker.js';
const FIRST_MAC_SERIAL = 10_000;

export interface BedOptions {
  /** Outgoing ones. */
  readonly ports: number;
  readonly routeLimit: number;
  readonly groupLimit: number;
}

export class Bed {
  readonly #lab: Lab;
  readonly #worker: TrafficProcess;

  private constructor(lab: Lab, worker: TrafficProcess) {
    this.#lab = lab;
    this.#worker = worker;
  }

  static async create(options: BedOptions): Promise<Bed> {
    const lab = await Lab.create('bench-routes');
    try {
      return await Bed.#build(lab, options);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  static async #build(lab: Lab, options: BedOptions): Promise<Bed> {
    const [router, receivers, generator] = await Promise.all(['router', 'receivers', 'generator'].map((label) => lab.namespace(label)));
    if (router === undefined || receivers === undefined || generator === undefined) throw new Error('no namespaces');
    await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [generator, 'gen0', '10.100.0.2/24'] });
    const outgoing = namesOf('out', options.ports);
    const far = namesOf('rx', options.ports);
    await makeLinks(router, receivers, options.ports);
    // As deploy/bin/xmcastd runs the daemon, and with a way to tell what is still in use.
    const argv = [process.execPath, '--max-semi-space-size=8', '--expose-gc', '--enable-source-maps', inRepository(WORKER)];
    const bed = new Bed(lab, await TrafficProcess.start(lab.spawn(router, argv, { name: 'bench worker' })));
    const { receiverProgram, generatorProgram } = await bed.ask({
      do: 'open',
      ports: await interfacesOf(router, ['up0', ...outgoing]),
      pinPath: pinPath(lab, 'xmcast'),
      benchPinPath: pinPath(lab, 'bench'),
      routeLimit: options.routeLimit,
      groupLimit: options.groupLimit,
    });
    await attach(generator, ['gen0'], generatorProgram);
    await attach(receivers, far, receiverProgram);
    await bed.ask({ do: 'receivers', ifindexes: (await interfacesOf(receivers, far)).map(({ ifindex }) => ifindex) });
    return bed;
  }

  ask<R extends Request>(request: R): Promise<Answers[R['do']]> {
    return this.#worker.command<Answers[R['do']]>(JSON.stringify(request));
  }

  async close(): Promise<void> {
    try {
      await this.ask({ do: 'close' });
    } finally {
      await this.#lab.close();
    }
  }
}

function namesOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

/** One process for hundreds of links. */
async function makeLinks(router: Namespace, receivers: Namespace, count: number): Promise<void> {
  const mac = (serial: number): string => macFor(undefined, FIRST_MAC_SERIAL + serial);
  const made = namesOf('', count).map(
    (_, i) => `link add name out${i + 1} address ${mac(2 * i)} type veth peer name rx${i + 1} netns ${receivers.name} address ${mac(2 * i + 1)}`,
  );
  await router.run(['ip', '-batch', '-'], lines(made));
  await receivers.run(['ip', '-batch', '-'], lines(namesOf('rx', count).map((name) => `link set dev ${name} up`)));
  await router.run(['ip', '-batch', '-'], lines(namesOf('out', count).map((name) => `link set dev ${name} up`)));
}

/** An XDP program at the far end is also what makes veth take frames that were redirected to it. */
async function attach(namespace: Namespace, interfaceNames: readonly string[], pinnedProgram: string): Promise<void> {
  await namespace.run(['ip', '-batch', '-'], lines(interfaceNames.map((name) => `link set dev ${name} xdpdrv pinned ${pinnedProgram}`)));
}

function lines(commands: readonly string[]): string {
  return `${commands.join('\n')}\n`;
}

function pinPath(lab: Lab, name: string): string {
  const path = `/sys/fs/bpf/xmcast-${lab.id}-${name}`;
  lab.removeOnClose(path);
  return path;
}
