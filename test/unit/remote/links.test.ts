/** Interfaces, addresses and unicast routes over the wire: the same answers as at the source, and a change as one change. */
import type { KernelChange } from '../../../control/kernel/interface-table';
import type { KernelFact } from '../../../control/kernel/netlink/decode';
import { RemoteLinks } from '../../../control/remote/remote-links';
import { eventually } from '../../lab/eventually';
import { ip } from '../router/fakes';
import { closeAll, serve } from './fakes';

let links: RemoteLinks | undefined;
afterEach(async () => {
  links?.close();
  await closeAll();
});

const link = (ifindex: number, name: string, up = true, removed = false): KernelFact => ({
  kind: 'link', removed, flags: 0,
  record: { family: 0, ifindex, name, macAddress: Uint8Array.of(2, 0, 0, 0, 0, ifindex), mtu: 1400 + ifindex, adminUp: true, up, kind: 'veth', partOf: 'vrf' },
});
const address = (ifindex: number, text: string, secondary = false): KernelFact => ({
  kind: 'address', removed: false, flags: 0, record: { ifindex, address: ip(text), peer: undefined, length: 24, secondary, scope: 0 },
});
const route = (network: string, length: number, ifindex: number, gateway?: string): KernelFact => ({
  kind: 'route', removed: false, flags: 0,
  record: {
    network: ip(network), length, table: 254, type: ifindex === 0 ? 7 : 1, typeOfService: 0, metric: 0, preferredSource: undefined,
    hops: ifindex === 0 ? [] : [{ ifindex, gateway: gateway === undefined ? undefined : ip(gateway) }], cloned: false,
  },
});
const until = (isSo: () => boolean, what: string): Promise<unknown> => eventually(isSo, { what, intervalMs: 5 });

test('links, addresses in their order, and the longest prefix are what they are at the data plane', async () => {
  const served = await serve();
  served.links.tell(link(3, 'lan1'), link(4, 'up0', false), address(3, '10.1.1.1'), address(3, '10.1.1.2', true), address(4, '10.9.0.1'));
  served.links.tell(route('10.0.0.0', 8, 4, '10.9.0.254'), route('10.1.1.0', 24, 3), route('10.66.0.0', 16, 0), route('0.0.0.0', 0, 4, '10.9.0.253'));
  links = RemoteLinks.open({ target: served.target });
  await links.whenComplete(10_000);
  for (const name of ['lan1', 'up0', 'other']) expect(links.link(name)).toEqual(served.links.table.link(name));
  for (const text of ['10.1.1.9', '10.2.0.1', '10.66.1.1', '192.0.2.1']) {
    expect(links.lookupRoute(ip(text))).toEqual(served.links.table.lookupRoute(ip(text)));
  }
});

test('what changes is told once, as at the source, and nothing else', async () => {
  const served = await serve();
  served.links.tell(link(3, 'lan1'), link(4, 'up0'), address(3, '10.1.1.1'));
  links = RemoteLinks.open({ target: served.target });
  await links.whenComplete(10_000);
  const told: KernelChange[] = [];
  links.onChanges((changes) => told.push(...changes));
  served.links.tell(link(3, 'lan1', false));
  await until(() => told.length > 0, 'the link is down');
  expect(told.map(({ kind }) => kind)).toEqual(['link-changed']);
  served.links.tell(link(4, 'up0', true, true), route('10.5.0.0', 16, 3));
  await until(() => told.length > 2, 'another is gone');
  expect(told.slice(1).map(({ kind }) => kind).sort()).toEqual(['link-removed', 'routes-changed']);
  expect(links.link('up0')).toBeUndefined();
});

test('an outage: the last word holds, and what happened meanwhile is a change', async () => {
  const served = await serve();
  served.links.tell(link(3, 'lan1'));
  links = RemoteLinks.open({ target: served.target });
  await links.whenComplete(10_000);
  await served.server.close();
  expect(links.link('lan1')).toBeDefined();
  const told: KernelChange[] = [];
  links.onChanges((changes) => told.push(...changes));
  const again = await serve(served.target.slice('unix://'.length));
  again.links.tell(link(3, 'lan1'), link(9, 'lan9'));
  await until(() => links?.link('lan9') !== undefined, 'the new one is known');
  expect(told.some((change) => change.kind === 'link-added' && change.link.name === 'lan9')).toBe(true);
});

test('a reader that goes leaves nothing behind', async () => {
  const served = await serve();
  links = RemoteLinks.open({ target: served.target });
  await links.whenComplete(10_000);
  expect(served.links.listeners).toBe(1);
  links.close();
  await until(() => served.links.listeners === 0, 'nobody listens');
});

test('a hundred thousand unicast routes come in pieces', async () => {
  const served = await serve();
  served.links.tell(link(3, 'lan1'));
  for (let i = 0; i < 100_000; i++) served.links.table.apply(route(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, 32, 3), 'dump');
  links = RemoteLinks.open({ target: served.target });
  await links.whenComplete(20_000);
  expect(links.lookupRoute(ip('10.1.134.159'))).toMatchObject({ ifindex: 3, prefixLength: 32 });
}, 30_000);
