/**
 * What the kernel's own forwarder does for applications of the router: the model for xmcast (test/e2e/own-traffic), held here so that a
 * kernel that changes its mind is noticed.
 *
 *     source ── up0 [router, applications] lan1 ── near
 *                                          lan2 ── far
 */
import { eventually } from '../lab/eventually';
import { Host } from '../lab/host';
import { KernelForwarder } from '../lab/kernel-forwarder';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import type { Receiver } from '../lab/receiver';

jest.setTimeout(30_000);

const SOURCE = '10.100.0.10';
const G = '239.1.1.1';
const COUNT = 30;
const TTL = 9;

let lab: Lab;
let router: Namespace;
let source: Host;
let onLan1: Host;
let far: Host;
let kernel: KernelForwarder;

beforeEach(async () => {
  lab = await Lab.create('kernelown');
  router = await lab.namespace('router');
  source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  onLan1 = await lab.host('near', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] });
  far = await lab.host('far', { address: '10.1.2.10/24', to: [router, 'lan2', '10.1.2.1/24'] });
  kernel = await KernelForwarder.start(lab, router, [{ name: 'up0' }, { name: 'lan1' }, { name: 'lan2' }]);
});
afterEach(async () => lab?.close());

const member = (name: string, address: string): Promise<Receiver> => lab.receiver(new Host(router, name, address), { joins: [G], wire: false });

async function send(from: Host): Promise<void> {
  const sender = await lab.sender(from, { group: G, source: from.address, count: COUNT, rate: 1000, ttl: TTL });
  await sender.finished();
}

async function expectAll(receiver: Receiver, ttl: number): Promise<void> {
  await eventually(async () => (await receiver.flow({ group: G })).received === COUNT, { what: 'everything has arrived' });
  expect(await receiver.flow({ group: G })).toMatchObject({ ttlMin: ttl, ttlMax: ttl });
}

/** Arguments: group, interface address, whether it is looped back (IP_MULTICAST_LOOP), how many. */
const SEND = `
import socket, sys
group, address, loop, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((address, 0))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 9)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, loop)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
for _ in range(count):
    s.sendto(bytes(100), (group, 5000))
`;

test('what the router sends by one interface leaves as it is, and goes to the others with a hop less as far as it is looped back', async () => {
  await kernel.addRoute({ source: '10.1.1.1', group: G, incoming: 'lan1', outgoing: ['lan2'] });
  const [near, elsewhere] = await Promise.all(
    [onLan1, far].map(({ namespace, interfaceName }) => lab.capture(namespace, interfaceName, { filter: `udp and dst host ${G}` })),
  );
  const ttls = async (): Promise<readonly (readonly (number | undefined)[])[]> => Promise.all([near, elsewhere].map(async (capture) => ((await capture?.frames()) ?? []).map(({ bytes }) => bytes[14 + 8])));
  await router.run(['python3', '-c', SEND, G, '10.1.1.1', '0', `${COUNT}`]);
  await router.run(['python3', '-c', SEND, G, '10.1.1.1', '1', '1']);
  await eventually(async () => (await ttls()).join('|') === `${Array.from({ length: COUNT + 1 }, () => TTL).join()}|${TTL - 1}`, { what: 'all of it is on its own network, the last one on the other' });
});

test('a member on an outgoing interface gets what leaves there, one on another interface nothing', async () => {
  await kernel.addRoute({ source: SOURCE, group: G, incoming: 'up0', outgoing: ['lan1'] });
  const [near, elsewhere] = [await member('lan1', '10.1.1.1'), await member('lan2', '10.1.2.1')];
  await send(source);
  await expectAll(near, TTL - 1);
  expect((await elsewhere.flow({ group: G })).received).toBe(0);
});

test('a member gets what comes in by its interface as it came, though that is not the incoming one of the route', async () => {
  await kernel.addRoute({ source: '10.1.2.10', group: G, incoming: 'up0', outgoing: ['lan1'] });
  const there = await member('lan2', '10.1.2.1');
  await send(far);
  await expectAll(there, TTL);
});
