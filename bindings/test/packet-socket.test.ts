/** Frames through a veth pair: what goes in at one end comes out at the other, byte for byte. */
import { PacketSocket } from '#bindings';

import { failureOf } from './bytes';
import { NetworkNamespace } from './network-namespace';

const FRAME = [
  ...Array(6).fill(0xff),
  0x02,
  0,
  0,
  0,
  0,
  1,
  0x88,
  0xb5,
  ...Array.from({ length: 50 }, (_, index) => index),
] as number[];
const TAGGED = [...FRAME.slice(0, 12), 0x81, 0x00, 0x60, 0x64, ...FRAME.slice(12)];

let namespace: NetworkNamespace;

beforeEach(() => {
  namespace = new NetworkNamespace();
});
afterEach(() => namespace.remove());

test.each([
  ['untagged', FRAME],
  ['with a VLAN tag, which the kernel takes out on the way', TAGGED],
])('a frame %s arrives whole, with the time of arrival', async (_, frame) => {
  const received = await namespace.evaluate(
    ({ PacketSocket }, { left, right, frame }) =>
      new Promise<{ frame: number[]; outgoing: boolean; skewMs: number }>((resolve, reject) => {
        const sender = new PacketSocket({ ifindex: left, protocol: 0 });
        const receiver = new PacketSocket({
          ifindex: right,
          protocol: 3,
          onError: reject,
          onFrame: (bytes, info) => {
            if (bytes[6] !== 2) return;
            sender.close();
            receiver.close();
            resolve({
              frame: [...bytes],
              outgoing: info.outgoing,
              skewMs: Math.abs(Number(info.timestampNs / 1_000_000n) - Date.now()),
            });
          },
        });
        sender.send(Uint8Array.from(frame));
      }),
    { left: namespace.left, right: namespace.right, frame },
  );
  expect(received.frame).toEqual(frame);
  expect(received.outgoing).toBe(false);
  expect(received.skewMs).toBeLessThan(5000);
});

test('only frames of the protocol asked for arrive', async () => {
  const types = await namespace.evaluate(
    ({ PacketSocket }, { left, right, frame }) =>
      new Promise<number[]>((resolve, reject) => {
        const seen: number[] = [];
        const sender = new PacketSocket({ ifindex: left, protocol: 0 });
        const receiver = new PacketSocket({
          ifindex: right,
          protocol: 0x88b6,
          onError: reject,
          onFrame: (bytes) => {
            seen.push(((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0));
            sender.close();
            receiver.close();
            resolve(seen);
          },
        });
        const other = Uint8Array.from(frame);
        sender.send(other);
        other[13] = 0xb6;
        sender.send(other);
      }),
    { left: namespace.left, right: namespace.right, frame: FRAME },
  );
  expect(types).toEqual([0x88b6]);
});

test('frames of this box are seen when asked for, and marked', async () => {
  const outgoing = await namespace.evaluate(
    ({ PacketSocket }, { left, frame }) =>
      new Promise<boolean>((resolve, reject) => {
        const sender = new PacketSocket({ ifindex: left, protocol: 0 });
        const receiver = new PacketSocket({
          ifindex: left,
          protocol: 3,
          outgoing: true,
          onError: reject,
          onFrame: (_, info) => {
            sender.close();
            receiver.close();
            resolve(info.outgoing);
          },
        });
        sender.send(Uint8Array.from(frame));
      }),
    { left: namespace.left, frame: FRAME },
  );
  expect(outgoing).toBe(true);
});

test('allMulticast holds for as long as the socket lives', async () => {
  const counts = await namespace.evaluate(
    async ({ PacketSocket }, { left }) => {
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      const count = (): number =>
        (JSON.parse(execFileSync('ip', ['-d', '-j', 'link', 'show', 'left'], { encoding: 'utf8' })) as [{ allmulti: number }])[0]
          .allmulti;
      const before = count();
      const socket = new PacketSocket({ ifindex: left, protocol: 3, allMulticast: true, onFrame: () => undefined });
      const during = count();
      socket.close();
      // The descriptor goes when the event loop has let go of it.
      while (count() === during) await new Promise(setImmediate);
      return [before, during, count()];
    },
    { left: namespace.left },
  );
  expect(counts).toEqual([0, 1, 0]);
});

test('what the driver refuses is thrown by its name', async () => {
  const codes = await namespace.evaluate(
    ({ PacketSocket }, { left, frame }) => {
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      const codeOf = (call: () => unknown): string => {
        try {
          call();
          return 'none';
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      const socket = new PacketSocket({ ifindex: left, protocol: 0 });
      const large = new Uint8Array(1600);
      large.set(frame);
      const tooLarge = codeOf(() => socket.send(large));
      const tooSmall = codeOf(() => socket.send(new Uint8Array(10)));
      execFileSync('ip', ['link', 'set', 'left', 'down']);
      const down = codeOf(() => socket.send(Uint8Array.from(frame)));
      execFileSync('ip', ['link', 'delete', 'left']);
      const gone = codeOf(() => socket.send(Uint8Array.from(frame)));
      const absent = codeOf(() => new PacketSocket({ ifindex: left, protocol: 3, onFrame: () => undefined }));
      return { tooLarge, tooSmall, down, gone, absent };
    },
    { left: namespace.left, frame: FRAME },
  );
  expect(codes).toEqual({ tooLarge: 'EMSGSIZE', tooSmall: 'EINVAL', down: 'ENETDOWN', gone: 'ENXIO', absent: 'ENODEV' });
});

test('an interface that goes down is told, and frames come again when it is back', async () => {
  const result = await namespace.evaluate(
    ({ PacketSocket }, { left, right, frame }) => {
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      return new Promise<string[]>((resolve) => {
        const errors: string[] = [];
        let resending: NodeJS.Timeout | undefined;
        const sender = new PacketSocket({ ifindex: left, protocol: 0 });
        const receiver = new PacketSocket({
          ifindex: right,
          protocol: 0x88b5,
          onError: (error) => {
            errors.push(error.code);
            execFileSync('ip', ['link', 'set', 'right', 'up']);
            // The kernel tells the other end of its carrier a little later, and drops what is sent until then.
            resending = setInterval(() => sender.send(Uint8Array.from(frame)), 20);
          },
          onFrame: () => {
            clearInterval(resending);
            sender.close();
            receiver.close();
            resolve(errors);
          },
        });
        execFileSync('ip', ['link', 'set', 'right', 'down']);
      });
    },
    { left: namespace.left, right: namespace.right, frame: FRAME },
  );
  expect(result).toEqual(['ENETDOWN']);
});

test('a listener that throws becomes an uncaughtException; microtasks run between frames', async () => {
  const order = await namespace.evaluate(
    ({ PacketSocket }, { left, right, frame }) =>
      new Promise<string[]>((resolve) => {
        const events: string[] = [];
        process.on('uncaughtException', (error) => events.push(`uncaught ${error.message}`));
        const sender = new PacketSocket({ ifindex: left, protocol: 0 });
        const receiver = new PacketSocket({
          ifindex: right,
          protocol: 0x88b5,
          onFrame: (bytes) => {
            const number = bytes[14];
            events.push(`frame ${number}`);
            void Promise.resolve().then(() => events.push(`microtask ${number}`));
            if (number === 2) throw new Error('listener failed');
            if (number !== 3) return;
            sender.close();
            receiver.close();
            setImmediate(() => resolve(events));
          },
        });
        for (const number of [1, 2, 3]) {
          const bytes = Uint8Array.from(frame);
          bytes[14] = number;
          sender.send(bytes);
        }
      }),
    { left: namespace.left, right: namespace.right, frame: FRAME },
  );
  expect(order.slice(0, 3)).toEqual(['frame 1', 'microtask 1', 'frame 2']);
  expect(order).toContain('uncaught listener failed');
  expect(order.indexOf('frame 3')).toBeGreaterThan(order.indexOf('uncaught listener failed'));
});

test('no frame after close, though more are waiting', async () => {
  const frames = await namespace.evaluate(
    async ({ PacketSocket }, { left, right, frame }) => {
      let seen = 0;
      const sender = new PacketSocket({ ifindex: left, protocol: 0 });
      const receiver = new PacketSocket({
        ifindex: right,
        protocol: 0x88b5,
        onFrame: () => {
          seen += 1;
          receiver.close();
        },
      });
      for (let i = 0; i < 10; i += 1) sender.send(Uint8Array.from(frame));
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      sender.close();
      return seen;
    },
    { left: namespace.left, right: namespace.right, frame: FRAME },
  );
  expect(frames).toBe(1);
});

test('a closed socket throws EBADF', () => {
  const socket = new PacketSocket({ ifindex: 1, protocol: 0 });
  socket.close();
  socket.close();
  expect(failureOf(() => socket.send(Uint8Array.from(FRAME)))).toMatchObject({ code: 'EBADF' });
});
