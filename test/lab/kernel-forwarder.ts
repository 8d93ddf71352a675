/**
 * The kernel's own multicast forwarder in a namespace, with static routes: what xmcast is compared with. It forwards from start() to
 * stop(). Has no protocol: nothing is learnt.
 */
import type { Lab } from './lab';
import type { Namespace } from './namespace';
import { TrafficProcess, trafficProgram } from './traffic-process';

/** MAXVIFS of <linux/mroute.h>, incoming interfaces included. */
export const KERNEL_VIF_LIMIT = 32;

export interface KernelVif {
  readonly name: string;
  /** A packet leaves here only when its TTL, as received, is greater. Default 1. */
  readonly ttlThreshold?: number;
}

export interface KernelRoute {
  readonly source: string;
  readonly group: string;
  readonly incoming: string;
  readonly outgoing: readonly string[];
}

/** One resolved entry of the kernel's table. `packets` and `bytes` count what matched, before any check: not what was sent. */
export interface KernelRouteCounters {
  readonly source: string;
  readonly group: string;
  readonly packets: number;
  readonly bytes: number;
  readonly wrongInterface: number;
}

export class KernelForwarder {
  readonly #traffic: TrafficProcess;
  readonly #namespace: Namespace;

  private constructor(traffic: TrafficProcess, namespace: Namespace) {
    this.#traffic = traffic;
    this.#namespace = namespace;
  }

  /** Resolves when the kernel forwards between these interfaces. Only one at a time can run in a namespace. */
  static async start(lab: Lab, namespace: Namespace, vifs: readonly KernelVif[]): Promise<KernelForwarder> {
    const options = vifs.flatMap(({ name, ttlThreshold }) => ['--vif', `${name}=${ttlThreshold ?? 1}`]);
    const argv = [await trafficProgram(), 'mroute', ...options];
    const child = lab.spawn(namespace, argv, { name: `xmtraffic mroute in ${namespace.label}` });
    return new KernelForwarder(await TrafficProcess.start(child), namespace);
  }

  /** Replaces the route of the same source and group. */
  async addRoute(route: KernelRoute): Promise<void> {
    await this.#traffic.command(['add', route.source, route.group, route.incoming, ...route.outgoing].join(' '));
  }

  /** Fails with ENOENT when there is none. */
  async removeRoute(source: string, group: string): Promise<void> {
    await this.#traffic.command(`remove ${source} ${group}`);
  }

  async counters(): Promise<readonly KernelRouteCounters[]> {
    return parseMfc(await this.#namespace.run(['cat', '/proc/net/ip_mr_cache']));
  }

  /** Takes routes and interfaces with it. */
  async stop(): Promise<void> {
    await this.#traffic.command('stop');
    await this.#traffic.finished();
  }
}

/** Lines of /proc/net/ip_mr_cache: group, origin, interface, packets, bytes, wrong; addresses as the host's CPU sees the four bytes. */
export function parseMfc(text: string): readonly KernelRouteCounters[] {
  return (
    text
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      // -1 marks a packet that waits for a route.
      .filter((words) => words.length >= 6 && words[2] !== '-1')
      .map(([group = '', source = '', , packets, bytes, wrong]) => ({
        source: addressOf(source),
        group: addressOf(group),
        packets: Number(packets),
        bytes: Number(bytes),
        wrongInterface: Number(wrong),
      }))
  );
}

function addressOf(hexadecimal: string): string {
  const value = new Uint32Array([Number.parseInt(hexadecimal, 16)]);
  return new Uint8Array(value.buffer).join('.');
}
