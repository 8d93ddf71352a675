/** IPv4 packets with their own header, out of a chosen interface and in with the interface they came by. */
import { RawIpSocket } from '#bindings';

import { failureOf } from './bytes';
import { NetworkNamespace } from './network-namespace';

const IGMP = 2;

/** An IGMPv2 general query from a neighbour that is not this box; the kernel fills in the header checksum. */
const QUERY = [
  0x46,
  0xc0,
  0,
  32,
  0x12,
  0x34,
  0,
  0,
  1,
  IGMP,
  0,
  0,
  10,
  9,
  1,
  77,
  224,
  0,
  0,
  1,
  0x94,
  0x04,
  0,
  0, // router alert
  0x11,
  0x64,
  0xee,
  0x9b,
  0,
  0,
  0,
  0,
];

let namespace: NetworkNamespace;

beforeEach(() => {
  namespace = new NetworkNamespace();
});
afterEach(() => namespace.remove());

test('a packet leaves by the interface asked for and arrives with the interface it came by', async () => {
  const packet = await namespace.evaluate(
    ({ RawIpSocket }, { left, right, query }) =>
      new Promise<number[]>((resolve, reject) => {
        const socket = new RawIpSocket({
          protocol: 2,
          onError: reject,
          onPacket: (bytes, info) => {
            // The kernel also hands the sender's own copy back, as having come by the sending interface.
            if (info.ifindex !== right || bytes[15] !== 77) return;
            socket.close();
            resolve([...bytes]);
          },
        });
        socket.send(Uint8Array.from(query), left);
      }),
    { left: namespace.left, right: namespace.right, query: QUERY },
  );
  expect(packet.slice(0, 10)).toEqual(QUERY.slice(0, 10));
  expect(packet.slice(12)).toEqual(QUERY.slice(12));
});

test('refusals carry errno and what was sent where', async () => {
  const messages = await namespace.evaluate(
    ({ RawIpSocket }, { query }) => {
      const socket = new RawIpSocket({ protocol: 2 });
      const messageOf = (call: () => void): string => {
        try {
          call();
          return 'none';
        } catch (error) {
          return (error as Error).message;
        }
      };
      const result = [
        messageOf(() => socket.send(Uint8Array.from(query), 4000)),
        messageOf(() => socket.send(new Uint8Array(19), 1)),
      ];
      socket.close();
      return result;
    },
    { query: QUERY },
  );
  expect(messages[0]).toBe('send 32 bytes of IP protocol 2 on ifindex 4000: ENODEV: No such device');
  expect(messages[1]).toBe('send 19 bytes of IP protocol 2 on ifindex 1: EINVAL: Invalid argument');
});

test('a closed socket throws EBADF, a protocol out of range is refused', () => {
  const socket = new RawIpSocket({ protocol: IGMP });
  socket.close();
  socket.close();
  expect(failureOf(() => socket.send(Uint8Array.from(QUERY), 1))).toMatchObject({ code: 'EBADF' });
  expect(failureOf(() => new RawIpSocket({ protocol: 100_000 }))).toMatchObject({ code: 'EINVAL' });
});
