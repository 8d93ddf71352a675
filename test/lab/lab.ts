/**
 * A network of namespaces on one machine, and the traffic on it. Everything a lab makes is gone after close(), and also when the
 * process that made it ends without: see lab-record.ts. Several labs live side by side.
 *
 *     const lab = await Lab.create('two-hosts');
 *     const router = await lab.namespace('router');
 *     const source = await lab.host('source', { address: '10.0.0.10/24', to: [router, 'up', '10.0.0.1/24'] });
 *     const viewer = await lab.host('viewer', { address: '10.0.1.10/24', to: [router, 'down', '10.0.1.1/24'] });
 *     const receiver = await lab.receiver(viewer, { joins: ['239.1.1.1'] });
 *     const sender = await lab.sender(source, { group: '239.1.1.1', count: 1000 });
 */
import { join } from 'node:path';
import { Capture, captureArguments } from './capture';
import { Host, type IgmpVersion } from './host';
import { Injector, injectorArguments } from './injector';
import { LabProcess, type SpawnOptions } from './lab-process';
import { LabRecord, sweepDeadLabs } from './lab-record';
import { createLink, macFor, waitUntilUp, type LinkEndSpec } from './link';
import { createNamespace, Namespace, type NamespaceOptions } from './namespace';
import { Receiver, receiverArguments, type ReceiverOptions } from './receiver';
import { Reporter, reporterArguments, type ReporterOptions } from './reporter';
import { Sender, senderArguments, type SenderOptions } from './sender';
import { TrafficProcess, trafficProgram } from './traffic-process';
import { Zapper, zapperArguments, type ZapperOptions } from './zapper';

/** A LAN: a bridge in a namespace of its own that floods multicast to all its ports. */
export interface Bridge {
  readonly namespace: Namespace;
  readonly interfaceName: string;
}

/** An interface of a namespace, with its address if it has one, or a new port of a bridge. */
export type LinkEnd = readonly [namespace: Namespace, interfaceName: string, address?: string] | Bridge;

export interface LinkOptions {
  readonly between: LinkEnd;
  readonly and: LinkEnd;
  /** Default 1500. */
  readonly mtu?: number;
}

export interface HostOptions {
  /** "10.0.1.10/24". */
  readonly address: string;
  /** What its eth0 is connected to. */
  readonly to: LinkEnd;
  /** Default route. Default: the other end's address, none on a bridge. */
  readonly gateway?: string;
  /** Default 0. */
  readonly igmpVersion?: IgmpVersion;
  /** Default 1500. */
  readonly mtu?: number;
}

export interface CaptureOptions {
  /** pcap filter expression. Default: everything. */
  readonly filter?: string;
  /** Default: in the lab's scratch space, gone with the lab. */
  readonly file?: string;
}

const HOST_INTERFACE = 'eth0';
const BRIDGE_INTERFACE = 'br0';
const DEFAULT_MTU = 1500;
let sweeping: Promise<number> | undefined;

export class Lab {
  readonly name: string;
  readonly #record = new LabRecord();
  readonly #processes: LabProcess[] = [];
  readonly #closers: (() => void | Promise<void>)[] = [];
  #serial = 0;
  #closing: Promise<void> | undefined;

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * `name`: lower case letters, digits and dashes; it shows in `ip netns`. Removes the remains of dead labs first, once per
   * process.
   */
  static async create(name: string): Promise<Lab> {
    if (!/^[a-z0-9-]{1,40}$/.test(name)) throw new Error(`not a name for a lab: ${JSON.stringify(name)}`);
    sweeping ??= sweepDeadLabs();
    await sweeping;
    return new Lab(name);
  }

  /** Scratch space for configuration, sockets and captures, gone with the lab. */
  get directory(): string {
    return this.#record.files;
  }

  /** Unique on the machine while the lab lives: for names of pins and sockets. */
  get id(): string {
    return this.#record.id;
  }

  async namespace(label: string, options: NamespaceOptions = {}): Promise<Namespace> {
    const namespace = new Namespace(label, `xm-${this.name}-${this.id}-${label}`);
    this.#record.addNamespace(namespace.name);
    await createNamespace(namespace, options);
    return namespace;
  }

  async bridge(label: string): Promise<Bridge> {
    const namespace = await this.namespace(label);
    // Snooping off: who hears what is the router's doing alone. STP off: ports forward from the moment they are up.
    await namespace.script([
      `ip link add ${BRIDGE_INTERFACE} type bridge mcast_snooping 0 stp_state 0 forward_delay 0`,
      `ip link set dev ${BRIDGE_INTERFACE} up`,
    ]);
    return { namespace, interfaceName: BRIDGE_INTERFACE };
  }

  /** Resolves when both ends are up. */
  async link(options: LinkOptions): Promise<void> {
    await createLink([this.#endSpec(options.between), this.#endSpec(options.and)], options.mtu ?? DEFAULT_MTU);
  }

  async host(label: string, options: HostOptions): Promise<Host> {
    const namespace = await this.namespace(label);
    const other = this.#endSpec(options.to);
    const gateway = options.gateway ?? withoutPrefix(other.address);
    const own: LinkEndSpec = {
      ...this.#endSpec([namespace, HOST_INTERFACE, options.address]),
      igmpVersion: options.igmpVersion ?? 0,
      ...(gateway === undefined ? {} : { gateway }),
    };
    await createLink([own, other], options.mtu ?? DEFAULT_MTU);
    return new Host(namespace, HOST_INTERFACE, withoutPrefix(options.address) ?? options.address);
  }

  /** For links that went down in a test and come back. */
  waitUntilUp(namespace: Namespace, interfaceName: string): Promise<void> {
    return waitUntilUp(namespace, interfaceName);
  }

  /** Starts a program in a namespace, or outside all of them. It is killed with its whole process group when the lab closes. */
  spawn(where: Namespace | Host | undefined, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    if (this.#closing !== undefined) throw new Error(`lab ${this.name} is closed`);
    const namespace = where instanceof Host ? where.namespace : where;
    const name = options.name ?? argv[0]?.split('/').at(-1) ?? '';
    const child = new LabProcess(namespace?.enter(argv) ?? argv, { ...options, name });
    this.#record.addProcess(child.pid);
    this.#processes.push(child);
    return child;
  }

  /** Resolves when the sender sends, or waits with rate 0. */
  async sender(host: Host, options: SenderOptions): Promise<Sender> {
    const streamId = options.streamId ?? ++this.#serial;
    const argv = senderArguments(options, host.interfaceName, streamId);
    return new Sender(await this.#traffic(host.namespace, argv), streamId);
  }

  /** Resolves when the joins asked for are made. */
  async receiver(host: Host, options: ReceiverOptions = {}): Promise<Receiver> {
    return new Receiver(await this.#traffic(host.namespace, receiverArguments(options, host.interfaceName)));
  }

  async injector(namespace: Namespace, interfaceName: string): Promise<Injector> {
    return new Injector(await this.#traffic(namespace, injectorArguments(interfaceName)));
  }

  async reporter(host: Host, options: ReporterOptions): Promise<Reporter> {
    return new Reporter(await this.#traffic(host.namespace, reporterArguments(host.interfaceName, options)));
  }

  async zapper(options: ZapperOptions): Promise<Zapper> {
    return new Zapper(await this.#traffic(options.host.namespace, zapperArguments(options)));
  }

  /** Resolves when frames are being captured. */
  async capture(namespace: Namespace, interfaceName: string, options: CaptureOptions = {}): Promise<Capture> {
    const file = options.file ?? join(this.directory, `${namespace.label}-${interfaceName}-${++this.#serial}.pcap`);
    const capture = new Capture(this.spawn(namespace, captureArguments(interfaceName, file, options.filter)), file);
    await capture.listening();
    return capture;
  }

  /** Run by close() before anything is removed, last registered first. Not run when this process is killed: see removeOnClose. */
  onClose(closer: () => void | Promise<void>): void {
    this.#closers.push(closer);
  }

  /** A file or directory below /sys/fs/bpf, /run or /tmp that goes with the lab, also when this process is killed. */
  removeOnClose(path: string): void {
    this.#record.addPath(path);
  }

  /** Idempotent. Removes everything even when a closer fails, and fails with the first such error then. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    for (const closer of this.#closers.reverse()) {
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    }
    await Promise.all(this.#processes.map((child) => child.terminate()));
    await this.#record.clean();
    if (failures.length > 0) throw failures[0];
  }

  async #traffic(namespace: Namespace, argv: readonly string[]): Promise<TrafficProcess> {
    const program = await trafficProgram();
    return TrafficProcess.start(
      this.spawn(namespace, [program, ...argv], { name: `xmtraffic ${argv[0]} in ${namespace.label}` }),
    );
  }

  #endSpec(end: LinkEnd): LinkEndSpec {
    const serial = ++this.#serial;
    if (!isInterface(end)) {
      const mac = macFor(undefined, serial);
      return { namespace: end.namespace, interfaceName: `port${serial}`, bridge: end.interfaceName, mac };
    }
    const [namespace, interfaceName, address] = end;
    return { namespace, interfaceName, mac: macFor(address, serial), ...(address === undefined ? {} : { address }) };
  }
}

function isInterface(end: LinkEnd): end is Exclude<LinkEnd, Bridge> {
  return Array.isArray(end);
}

function withoutPrefix(address: string | undefined): string | undefined {
  return address?.split('/')[0];
}
