/**
 * One LAN with many on it, as behind a switch that floods multicast, and the router under test between it and a source:
 *
 *     source 10.100.0.10 ── up0 [xmcastd] lan1 10.1.1.5 ──┬── host 10.1.1.11
 *                                                         ├── host 10.1.1.12 …
 *                                                         └── whatever else a test connects to `lan`
 */
import { Daemon, type DaemonConfig } from '../lab/daemon';
import type { Host, IgmpVersion } from '../lab/host';
import { Lab, type Bridge } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { SOURCE, OTHER_SOURCE } from '../lab/star';

export const ROUTER_ADDRESS = '10.1.1.5';

export interface Lan {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly source: Host;
  readonly lan: Bridge;
  /** In the order asked for: 10.1.1.11, 10.1.1.12 … */
  readonly hosts: readonly Host[];
  start(igmp?: Readonly<Record<string, unknown>>): Promise<Daemon>;
}

/** `versions`: one host for each, 0 for one that follows the querier. */
export async function createLan(name: string, versions: readonly IgmpVersion[]): Promise<Lan> {
  const lab = await Lab.create(name);
  try {
    return await fillLan(lab, versions);
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function fillLan(lab: Lab, versions: readonly IgmpVersion[]): Promise<Lan> {
  const router = await lab.namespace('router');
  const source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  await source.namespace.run(['ip', 'address', 'add', `${OTHER_SOURCE}/24`, 'dev', source.interfaceName]);
  const lan = await lab.bridge('lan');
  await lab.link({ between: [router, 'lan1', `${ROUTER_ADDRESS}/24`], and: lan });
  const hosts: Host[] = [];
  for (const [i, igmpVersion] of versions.entries()) {
    hosts.push(await lab.host(`host${i + 1}`, { address: `10.1.1.${11 + i}/24`, to: lan, igmpVersion }));
  }
  const config: DaemonConfig = { interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }] };
  return { lab, router, source, lan, hosts, start: (igmp = {}) => Daemon.start(lab, router, { ...config, igmp }) };
}
