/** Raw rtnetlink: requests and their answers, events, and what happens when events are lost. */
import { failureOf } from './bytes';
import { NetworkNamespace } from './network-namespace';
import { NetlinkSocket } from '#bindings';

const RTM_NEWLINK = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

let namespace: NetworkNamespace;

beforeEach(() => {
  namespace = new NetworkNamespace();
});
afterEach(() => namespace.remove());

test('a dump of the links lists them all and ends with DONE', async () => {
  const messages = await namespace.evaluate(({ NetlinkSocket }) => {
    const request = new Uint8Array(32);
    new Uint32Array(request.buffer).set([32, 18 | (0x301 << 16), 7, 0]);
    return new Promise<{ type: number; sequence: number; ifindex: number }[]>((resolve, reject) => {
      const seen: { type: number; sequence: number; ifindex: number }[] = [];
      const socket = new NetlinkSocket({
        onError: reject,
        onMessage: (datagram) => {
          const view = new DataView(datagram.buffer, datagram.byteOffset);
          for (let at = 0; at < datagram.length; at += (view.getUint32(at, true) + 3) & ~3) {
            const type = view.getUint16(at + 4, true);
            seen.push({ type, sequence: view.getUint32(at + 8, true), ifindex: type === 16 ? view.getInt32(at + 20, true) : 0 });
            if (type !== 3) continue;
            socket.close();
            resolve(seen);
          }
        },
      });
      socket.send(request);
    });
  }, {});
  expect(messages.at(-1)).toMatchObject({ type: NLMSG_DONE, sequence: 7 });
  const links = messages.filter((message) => message.type === RTM_NEWLINK).map((message) => message.ifindex);
  expect(links).toEqual(expect.arrayContaining([1, namespace.left, namespace.right]));
});

test('a member of the link group hears of a change', async () => {
  const event = await namespace.evaluate(
    ({ NetlinkSocket }) =>
      new Promise<{ type: number; ifindex: number }>((resolve, reject) => {
        const socket = new NetlinkSocket({
          groups: [1],
          onError: reject,
          onMessage: (datagram) => {
            const view = new DataView(datagram.buffer, datagram.byteOffset);
            socket.close();
            resolve({ type: view.getUint16(4, true), ifindex: view.getInt32(20, true) });
          },
        });
        process.getBuiltinModule('node:child_process').execFileSync('ip', ['link', 'set', 'left', 'mtu', '1400']);
      }),
    {},
  );
  expect(event).toEqual({ type: RTM_NEWLINK, ifindex: namespace.left });
});

test('a refused request comes back as an error message, not as a failure of the socket', async () => {
  const answer = await namespace.evaluate(
    ({ NetlinkSocket }) =>
      new Promise<{ type: number; error: number }>((resolve, reject) => {
        const request = new Uint8Array(32);
        // RTM_GETLINK of an interface that does not exist.
        new Uint32Array(request.buffer).set([32, 18 | (1 << 16), 1, 0, 0, 4000]);
        const socket = new NetlinkSocket({
          onError: reject,
          onMessage: (datagram) => {
            const view = new DataView(datagram.buffer, datagram.byteOffset);
            socket.close();
            resolve({ type: view.getUint16(4, true), error: view.getInt32(16, true) });
          },
        });
        socket.send(request);
      }),
    {},
  );
  expect(answer).toEqual({ type: NLMSG_ERROR, error: -19 });
});

test('lost events are told as ENOBUFS, and the socket goes on', async () => {
  const result = await namespace.evaluate(
    ({ NetlinkSocket }, { right }) => {
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      return new Promise<{ errors: { code: string; errno: number }[]; eventsAfter: number }>((resolve) => {
        const errors: { code: string; errno: number }[] = [];
        let eventsAfter = 0;
        const socket = new NetlinkSocket({
          groups: [1],
          receiveBufferBytes: 4096,
          onError: (error) => {
            errors.push({ code: error.code, errno: error.errno });
            setImmediate(() => execFileSync('ip', ['link', 'set', 'right', 'mtu', '1300']));
          },
          onMessage: (datagram) => {
            const view = new DataView(datagram.buffer, datagram.byteOffset);
            if (errors.length === 0 || view.getInt32(20, true) !== right) return;
            eventsAfter += 1;
            socket.close();
            resolve({ errors, eventsAfter });
          },
        });
        // While this thread is busy nobody reads.
        const changes = Array.from({ length: 100 }, (_, index) => `link set left mtu ${1000 + index}`).join('\n');
        execFileSync('ip', ['-batch', '-'], { input: changes });
      });
    },
    { right: namespace.right },
  );
  expect(result.errors).toEqual([{ code: 'ENOBUFS', errno: 105 }]);
  expect(result.eventsAfter).toBe(1);
});

test('messages of other processes are not believed', async () => {
  const heard = await namespace.evaluate(({ NetlinkSocket }) => {
    const { execFileSync } = process.getBuiltinModule('node:child_process');
    const forge = `
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.bind((0, 0))
s.sendto(struct.pack('=IHHII', 16, 16, 0, 666, 0), (${process.pid}, 0))`;
    return new Promise<number[]>((resolve, reject) => {
      const sequences: number[] = [];
      const socket = new NetlinkSocket({
        onError: reject,
        onMessage: (datagram) => {
          sequences.push(new DataView(datagram.buffer, datagram.byteOffset).getUint32(8, true));
          socket.close();
          resolve(sequences);
        },
      });
      execFileSync('python3', ['-c', forge]);
      const request = new Uint8Array(32);
      new Uint32Array(request.buffer).set([32, 18 | (1 << 16), 1, 0, 0, 1]);
      socket.send(request);
    });
  }, {});
  expect(heard).toEqual([1]);
});

test('a closed socket throws EBADF and may be closed again', () => {
  const socket = new NetlinkSocket({ onMessage: () => undefined, onError: () => undefined });
  socket.close();
  socket.close();
  expect(failureOf(() => socket.send(new Uint8Array(16)))).toMatchObject({ code: 'EBADF' });
});

test('a group that does not exist is refused', () => {
  const listeners = { onMessage: () => undefined, onError: () => undefined };
  expect(failureOf(() => new NetlinkSocket({ ...listeners, groups: [100_000] }))).toMatchObject({
    code: 'EINVAL',
    operation: 'join netlink group 100000',
  });
});
