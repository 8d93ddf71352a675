/**
 * The usual network: a source and any number of hosts, each on a network of its own around one router.
 *
 *     source 10.100.0.10 ── up0 [router] lan1 ── host1 10.1.1.10
 *                                        lan2 ── host2 10.1.2.10 …
 */
import { Daemon, type DaemonConfig } from './daemon';
import type { Host, IgmpVersion } from './host';
import { Lab } from './lab';
import type { Namespace } from './namespace';

export const SOURCE = '10.100.0.10';
/** A second address of the source's host. */
export const OTHER_SOURCE = '10.100.0.11';

export interface StarHost {
  readonly name: string;
  readonly igmpVersion?: IgmpVersion;
}

export interface Star {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly source: Host;
  /** In the order asked for; the i-th one (from 0) is behind lan(i+1). */
  readonly hosts: readonly Host[];
  /** What routes between all of them. */
  readonly config: DaemonConfig;
  /** `extra`: arguments of the daemon. */
  start(overrides?: Partial<DaemonConfig>, extra?: readonly string[]): Promise<Daemon>;
}

export function hostAddress(index: number): string {
  return `10.1.${index + 1}.10`;
}

export async function createStar(name: string, hosts: readonly StarHost[]): Promise<Star> {
  const lab = await Lab.create(name);
  try {
    return await fillStar(lab, hosts);
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function fillStar(lab: Lab, hosts: readonly StarHost[]): Promise<Star> {
  const router = await lab.namespace('router');
  const source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  await source.namespace.run(['ip', 'address', 'add', `${OTHER_SOURCE}/24`, 'dev', source.interfaceName]);
  const made: Host[] = [];
  for (const [i, host] of hosts.entries()) {
    const options = host.igmpVersion === undefined ? {} : { igmpVersion: host.igmpVersion };
    made.push(
      await lab.host(host.name, {
        address: `${hostAddress(i)}/24`,
        to: [router, `lan${i + 1}`, `10.1.${i + 1}.1/24`],
        ...options,
      }),
    );
  }
  const config = { interfaces: [{ name: 'up0', upstream: true }, ...hosts.map((_, i) => ({ name: `lan${i + 1}` }))] };
  return {
    lab,
    router,
    source,
    hosts: made,
    config,
    start: (overrides = {}, extra = []) => Daemon.start(lab, router, { ...config, ...overrides }, extra),
  };
}
