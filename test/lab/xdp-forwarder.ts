/**
 * xmcast's data plane alone in a namespace, with static routes: the counterpart of KernelForwarder. No protocol, nothing is learnt; ports
 * are told of changes by hand. Its numbered stream can be put in front of it.
 */
import { compileBpf } from './compile-bpf';
import type {
  Arrivals,
  ChurnAnswer,
  ChurnRequest,
  CountersAnswer,
  ForwarderAnswers,
  ForwarderPort,
  ForwarderRequest,
  ForwarderRoute,
  GenerateRequest,
  StreamAnswer,
} from './forwarder-protocol';
import type { Lab } from './lab';
import type { Namespace } from './namespace';
import { inRepository } from './repository';
import { TrafficProcess } from './traffic-process';

export interface XdpPort {
  readonly vport: number;
  readonly name: string;
  /** Default: its untagged frames. */
  readonly vlan?: number;
  /** Default 1. */
  readonly ttlThreshold?: number;
  /** Default: the interface's. */
  readonly mtu?: number;
  /** Default: XDP, if the driver takes it. */
  readonly mode?: 'xdp' | 'tc';
}

export interface StreamOptions {
  /** Port where its packets come in. */
  readonly incoming: string;
  readonly source: string;
  readonly group: string;
  readonly ipBytes: number;
  /** Default: untagged. */
  readonly vlan?: number;
  /** The port is in tc mode. */
  readonly toStack?: boolean;
}

/** Distinct outgoing sets at one time. */
const GROUP_LIMIT = 64;
const WORKER = 'build/test/lab/forwarder-worker.js';

export class XdpForwarder {
  readonly #lab: Lab;
  readonly #namespace: Namespace;
  readonly #worker: TrafficProcess;

  private constructor(lab: Lab, namespace: Namespace, worker: TrafficProcess) {
    this.#lab = lab;
    this.#namespace = namespace;
    this.#worker = worker;
  }

  /** Resolves when every port is attached. */
  static async start(lab: Lab, namespace: Namespace, ports: readonly XdpPort[], groupLimit = GROUP_LIMIT): Promise<XdpForwarder> {
    const argv = [process.execPath, '--enable-source-maps', inRepository(WORKER)];
    const child = lab.spawn(namespace, argv, { name: `forwarder in ${namespace.label}` });
    const forwarder = new XdpForwarder(lab, namespace, await TrafficProcess.start(child));
    lab.onClose(() => (child.hasExited ? undefined : forwarder.close()));
    const specs = await forwarder.#ports(ports);
    await forwarder.#ask({ do: 'open', ports: specs, pinPath: forwarder.pinPath, groupLimit });
    return forwarder;
  }

  get pinPath(): string {
    return this.#pinPath('xmcast');
  }

  /** Also after the interface was made anew. */
  async setPort(port: XdpPort): Promise<void> {
    const [spec] = await this.#ports([port]);
    if (spec !== undefined) await this.#ask({ do: 'setPort', port: spec });
  }

  async removePort(vport: number): Promise<void> {
    await this.#ask({ do: 'removePort', vport });
  }

  async addRoutes(routes: readonly ForwarderRoute[]): Promise<void> {
    await this.#ask({ do: 'routes', routes });
  }

  counters(): Promise<CountersAnswer> {
    return this.#ask({ do: 'counters' });
  }

  /** Once. Resolves with the programs for both ends of the links. */
  async openStream({ incoming, ...options }: StreamOptions): Promise<StreamAnswer> {
    const [ingress] = await interfacesOf(this.#namespace, [incoming]);
    const request = {
      ...options,
      objectPath: await compileBpf(this.#lab, inRepository('test/lab/bpf/numbered.bpf.c'), 'numbered'),
      pinPath: this.#pinPath('stream'),
      ingressIfindex: ingress?.ifindex ?? 0,
    };
    return this.#ask({ do: 'stream', ...request });
  }

  async generate(stream: Omit<GenerateRequest, 'do'>): Promise<void> {
    await this.#ask({ do: 'generate', ...stream });
  }

  churn(request: Omit<ChurnRequest, 'do'>): Promise<ChurnAnswer> {
    return this.#ask({ do: 'churn', ...request });
  }

  async arrivals(ifindexes: readonly number[]): Promise<readonly Arrivals[]> {
    return (await this.#ask({ do: 'arrivals', ifindexes })).arrivals;
  }

  async slow(ifindex: number, delayNs: number): Promise<void> {
    await this.#ask({ do: 'slow', ifindex, delayNs });
  }

  async close(): Promise<void> {
    await this.#ask({ do: 'close' });
  }

  #ask<R extends ForwarderRequest>(request: R): Promise<ForwarderAnswers[R['do']]> {
    return this.#worker.command<ForwarderAnswers[R['do']]>(JSON.stringify(request));
  }

  async #ports(ports: readonly XdpPort[]): Promise<readonly ForwarderPort[]> {
    const interfaces = await interfacesOf(
      this.#namespace,
      ports.map(({ name }) => name),
    );
    return interfaces.map((found, i) => ({ ...found, ttlThreshold: 1, vport: 0, ...ports[i] }));
  }

  #pinPath(name: string): string {
    const path = `/sys/fs/bpf/xmcast-${this.#lab.id}-${this.#namespace.label}-${name}`;
    this.#lab.removeOnClose(path);
    return path;
  }
}

export interface InterfaceFacts {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: string;
  readonly mtu: number;
}

/** In the order asked for. */
export async function interfacesOf(namespace: Namespace, names: readonly string[]): Promise<readonly InterfaceFacts[]> {
  const links = JSON.parse(await namespace.run(['ip', '-j', 'link'])) as readonly {
    ifname: string;
    ifindex: number;
    address: string;
    mtu: number;
  }[];
  return names.map((name) => {
    const link = links.find(({ ifname }) => ifname === name);
    if (link === undefined) throw new Error(`${name} is not in ${namespace.label}`);
    return { name, ifindex: link.ifindex, mac: link.address, mtu: link.mtu };
  });
}
