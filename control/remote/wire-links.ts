/**
 * Interfaces, addresses and unicast routes between a table of the kernel's facts and the messages of WatchLinks.
 */
import type { xmcast } from '#proto';
import { InterfaceTable, type LinkState } from '../kernel/interface-table';
import { AF_UNSPEC, RTN_UNICAST, RTN_UNREACHABLE, RT_TABLE_MAIN } from '../kernel/netlink/constants';
import type { KernelFact } from '../kernel/netlink/decode';
import type { UnicastChoice } from '../kernel/route-table';

type WireLink = xmcast.v1.Link.$Properties;
type WireRoute = xmcast.v1.UnicastRoute.$Properties;

const KERNEL = { removed: false, flags: 0 } as const;

export function linkMessage({ ifindex, name, macAddress, mtu, adminUp, up, kind, partOf = '', vlan, addresses }: LinkState): WireLink {
  return {
    ifindex, name, macAddress, mtu, adminUp, up, kind, partOf,
    ...(vlan === undefined ? {} : { vlanParent: vlan.ifindex, vlanId: vlan.id }),
    addresses: addresses.map(({ address, length, secondary, scope, peer }) => ({ address, length, secondary, scope, peer: peer ?? 0 })),
  };
}

export function routeMessage({ network, length, hop }: UnicastChoice): WireRoute {
  return { network, length, ifindex: hop?.ifindex ?? 0, gateway: hop?.gateway ?? 0 };
}

/** As if the kernel had told of them, one after the other. */
export function tableOf(links: readonly WireLink[], routes: readonly WireRoute[]): InterfaceTable {
  const table = new InterfaceTable();
  for (const link of links) for (const fact of factsOf(link)) table.apply(fact, 'dump');
  for (const route of routes) table.apply(routeFact(route), 'dump');
  return table;
}

function* factsOf(link: WireLink): Generator<KernelFact> {
  const ifindex = link.ifindex ?? 0;
  const { name, mtu, adminUp, up, kind, partOf, addresses } = link;
  const macAddress = Uint8Array.from(link.macAddress ?? []);
  const vlan = (link.vlanId ?? 0) === 0 ? {} : { vlan: { ifindex: link.vlanParent ?? 0, id: link.vlanId ?? 0 } };
  const record = { family: AF_UNSPEC, ifindex, name: name ?? '', macAddress, mtu: mtu ?? 0, adminUp: adminUp ?? false, up: up ?? false, kind: kind ?? '', partOf: partOf ?? '', ...vlan };
  yield { kind: 'link', ...KERNEL, record };
  for (const { address, length, secondary, scope, peer } of addresses ?? []) {
    const owner = { ifindex, address: address ?? 0, length: Math.min(length ?? 0, 32), secondary: secondary ?? false, scope: scope ?? 0 };
    yield { kind: 'address', ...KERNEL, record: { ...owner, peer: (peer ?? 0) === 0 ? undefined : (peer ?? 0) } };
  }
}

function routeFact({ network, length, ifindex, gateway }: WireRoute): KernelFact {
  const hops = (ifindex ?? 0) === 0 ? [] : [{ ifindex: ifindex ?? 0, gateway: (gateway ?? 0) === 0 ? undefined : (gateway ?? 0) }];
  return {
    kind: 'route',
    ...KERNEL,
    record: {
      network: network ?? 0,
      length: Math.min(length ?? 0, 32),
      table: RT_TABLE_MAIN,
      type: hops.length === 0 ? RTN_UNREACHABLE : RTN_UNICAST,
      typeOfService: 0,
      metric: 0,
      preferredSource: undefined,
      hops,
      cloned: false,
    },
  };
}
