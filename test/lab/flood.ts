/**
 * A fast numbered stream from a host of the lab to others of it: more than sockets can send or take on one machine. It leaves by the
 * host's own interface and comes in by those of the receivers, which stay hosts with sockets and IGMP beside it.
 */
import { join } from 'node:path';
import { compileBpf } from './compile-bpf';
import type { FloodAnswers, FloodRequest } from './flood-protocol';
import type { Host } from './host';
import type { Lab } from './lab';
import { inRepository } from './repository';
import { TrafficProcess } from './traffic-process';
import { interfacesOf } from './xdp-forwarder';

export interface FloodOptions {
  readonly from: Host;
  readonly source: string;
  readonly to: readonly Host[];
  /** In which VLANs a receiver counts, each for itself; 0: untagged. Default: untagged only. */
  readonly vlans?: (host: Host) => readonly number[];
  readonly group: string;
  /** Bytes of UDP payload. Default 100. */
  readonly payload?: number;
}

const WORKER = 'build/test/lab/flood-worker.js';
const USUAL_PAYLOAD = 100;

export class Flood {
  readonly #worker: TrafficProcess;

  private constructor(worker: TrafficProcess) {
    this.#worker = worker;
  }

  static async open(lab: Lab, { from, source, to, group, payload = USUAL_PAYLOAD, vlans = () => [0] }: FloodOptions): Promise<Flood> {
    const argv = [process.execPath, '--enable-source-maps', inRepository(WORKER)];
    const child = lab.spawn(from.namespace, argv, { name: 'flood' });
    const flood = new Flood(await TrafficProcess.start(child));
    const [out] = await interfacesOf(from.namespace, [from.interfaceName]);
    const pinPath = `/sys/fs/bpf/xmcast-${lab.id}-flood`;
    lab.removeOnClose(pinPath);
    const objectPath = await compileBpf(lab, inRepository('test/lab/bpf/flood.bpf.c'), 'flood');
    await flood.#ask({ do: 'open', objectPath, pinPath, ifindex: out?.ifindex ?? 0, source, group, payload, receivers: to.map(vlans) });
    for (const [i, host] of to.entries()) {
      await host.namespace.run(['ip', 'link', 'set', 'dev', host.interfaceName, 'xdpdrv', 'pinned', join(pinPath, `receive${i}`)]);
    }
    return flood;
  }

  async start(ratePps: number): Promise<void> {
    await this.#ask({ do: 'start', ratePps });
  }

  /** Nothing is under way any more when this resolves. */
  async stop(): Promise<void> {
    await this.#ask({ do: 'stop' });
  }

  /** Of every receiver, and of each of its VLANs. */
  report(): Promise<FloodAnswers['report']> {
    return this.#ask({ do: 'report' });
  }

  #ask<R extends FloodRequest>(request: R): Promise<FloodAnswers[R['do']]> {
    return this.#worker.command<FloodAnswers[R['do']]>(JSON.stringify(request));
  }
}

/** Of each receiver, in the time between two reports. */
export function faultsBetween(before: FloodAnswers['report'], after: FloodAnswers['report']): readonly { readonly lost: number; readonly repeated: number }[] {
  return after.receivers.map(({ missing, behind }, i) => ({
    lost: missing - (before.receivers[i]?.missing ?? 0),
    repeated: behind - (before.receivers[i]?.behind ?? 0),
  }));
}
