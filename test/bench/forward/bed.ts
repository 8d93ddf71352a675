/**
 * The network of the bench and the worker in it, ready to run slices:
 *
 *     generator ── up0 [router] out1 ── rx1 ┐
 *                              out2 ── rx2  ├ receivers: one namespace, each end counts and drops
 *                              …            ┘
 *
 * Nothing is sent by the generator's namespace: it keeps up0 up. Frames are put on up0 by the worker. The generator's program is
 * attached there only to be known to the kernel's XDP dispatcher: else each run would enter and leave it, and wait for RCU both times.
 */
import { Lab } from '../../lab/lab';
import { KernelForwarder } from '../../lab/kernel-forwarder';
import type { Namespace } from '../../lab/namespace';
import { inRepository } from '../../lab/repository';
import { TrafficProcess } from '../../lab/traffic-process';
import { interfacesOf } from '../../lab/xdp-forwarder';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import type { Answers, Request } from './protocol';
import { FIRST_SOURCE, groupOf } from './stream';

export interface BedOptions {
  readonly portCounts: readonly number[];
  readonly routeLimit: number;
}

export class Bed {
  readonly egressPorts: number;
  readonly #lab: Lab;
  readonly #worker: TrafficProcess;

  private constructor(lab: Lab, worker: TrafficProcess, egressPorts: number) {
    this.#lab = lab;
    this.#worker = worker;
    this.egressPorts = egressPorts;
  }

  static async create(options: BedOptions): Promise<Bed> {
    const lab = await Lab.create('bench');
    try {
      return await build(lab, options, (worker, ports) => new Bed(lab, worker, ports));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  ask<R extends Request>(request: R): Promise<Answers[R['do']]> {
    return ask(this.#worker, request);
  }

  async close(): Promise<void> {
    try {
      await this.ask({ do: 'close' });
    } finally {
      await this.#lab.close();
    }
  }
}

function ask<R extends Request>(worker: TrafficProcess, request: R): Promise<Answers[R['do']]> {
  return worker.command<Answers[R['do']]>(JSON.stringify(request));
}

async function build(lab: Lab, options: BedOptions, make: (worker: TrafficProcess, ports: number) => Bed): Promise<Bed> {
  const egressPorts = Math.max(...options.portCounts);
  const router = await lab.namespace('router');
  const receivers = await lab.namespace('receivers');
  const generator = await lab.namespace('generator');
  await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [generator, 'gen0', '10.100.0.2/24'] });
  const egress = await makeEgress(lab, router, receivers, egressPorts);
  await forwardByKernel(lab, router, egress, options.portCounts);
  const worker = await startWorker(lab, router);
  const { receiverProgram, generatorProgram } = await ask(worker, {
    do: 'open',
    ports: await interfacesOf(router, ['up0', ...egress]),
    pinPath: pinPath(lab, 'xmcast'),
    benchPinPath: pinPath(lab, 'bench'),
    routeLimit: options.routeLimit,
    portCounts: options.portCounts,
  });
  const far = egress.map((_, i) => `rx${i + 1}`);
  await attach(generator, 'gen0', generatorProgram);
  for (const name of far) await attach(receivers, name, receiverProgram);
  await ask(worker, { do: 'receivers', ifindexes: (await interfacesOf(receivers, far)).map(({ ifindex }) => ifindex) });
  return make(worker, egressPorts);
}

/** Names of the router's outgoing interfaces. */
async function makeEgress(lab: Lab, router: Namespace, receivers: Namespace, egressPorts: number): Promise<readonly string[]> {
  const names = Array.from({ length: egressPorts }, (_, i) => `out${i + 1}`);
  await Promise.all(
    names.map((name, i) => lab.link({ between: [router, name, `10.1.${i + 1}.1/24`], and: [receivers, `rx${i + 1}`] })),
  );
  return names;
}

async function forwardByKernel(
  lab: Lab,
  router: Namespace,
  egress: readonly string[],
  portCounts: readonly number[],
): Promise<void> {
  const kernel = await KernelForwarder.start(
    lab,
    router,
    ['up0', ...egress].map((name) => ({ name })),
  );
  for (const ports of portCounts) {
    await kernel.addRoute({
      source: formatIpv4(FIRST_SOURCE),
      group: formatIpv4(groupOf(ports)),
      incoming: 'up0',
      outgoing: egress.slice(0, ports),
    });
  }
}

async function startWorker(lab: Lab, router: Namespace): Promise<TrafficProcess> {
  const program = inRepository('build/test/bench/forward/worker.js');
  const child = lab.spawn(router, [process.execPath, '--expose-gc', '--enable-source-maps', program], { name: 'bench worker' });
  return TrafficProcess.start(child);
}

async function attach(namespace: Namespace, interfaceName: string, pinnedProgram: string): Promise<void> {
  await namespace.run(['ip', 'link', 'set', 'dev', interfaceName, 'xdpdrv', 'pinned', pinnedProgram]);
}

function pinPath(lab: Lab, name: string): string {
  const path = `/sys/fs/bpf/xmcast-${lab.id}-${name}`;
  lab.removeOnClose(path);
  return path;
}
