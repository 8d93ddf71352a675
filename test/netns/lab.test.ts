/**
 * The lab measured with itself, no router between: what it counts is what was done to it, and nothing stays behind.
 *
 *     source 10.9.0.1 eth0 ──── eth0 10.9.0.2 viewer
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../lab/eventually';
import { frameFields } from '../lab/frame';
import { Lab } from '../lab/lab';
import { sweepDeadLabs } from '../lab/lab-record';
import { inRepository } from '../lab/repository';
import { Host } from '../lab/host';
import type { Receiver } from '../lab/receiver';

const GROUP = '239.9.0.1';
const SOURCE = '10.9.0.1';
const NAMESPACES = '/var/run/netns';

jest.setTimeout(30_000);

interface TwoHosts {
  readonly lab: Lab;
  readonly source: Host;
  readonly viewer: Host;
}

async function twoHosts(name: string): Promise<TwoHosts> {
  const lab = await Lab.create(name);
  try {
    const sourceNamespace = await lab.namespace('source');
    const viewer = await lab.host('viewer', { address: '10.9.0.2/24', to: [sourceNamespace, 'eth0', `${SOURCE}/24`] });
    return { lab, source: new Host(sourceNamespace, 'eth0', SOURCE), viewer };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

function namespacesOf(lab: string): readonly string[] {
  return existsSync(NAMESPACES) ? readdirSync(NAMESPACES).filter((name) => name.startsWith(`xm-${lab}-`)) : [];
}

async function receivedAll(receiver: Receiver, count: number): Promise<void> {
  const what = `${count} datagrams at the receiver`;
  await eventually(async () => (await receiver.flow({ group: GROUP })).received === count, { what });
}

describe('a sender and a receiver on one link', () => {
  let net: TwoHosts;
  let receiver: Receiver;
  beforeEach(async () => {
    net = await twoHosts('pair');
    receiver = await net.lab.receiver(net.viewer);
  });
  afterEach(() => net.lab.close());

  test('what was sent is received: all of it, once, in order, intact, with the TTL it left with', async () => {
    await receiver.join(GROUP);
    const sender = await net.lab.sender(net.source, { group: GROUP, count: 5000, rate: 20_000, size: 1000, ttl: 17 });
    const { sent, errors, firstNs, lastNs } = await sender.finished();
    expect({ sent, errors }).toEqual({ sent: 5000, errors: 0 });
    expect((lastNs - firstNs) / 1e6).toBeGreaterThan(200);
    await receivedAll(receiver, 5000);

    const stats = await receiver.stats();
    expect(stats).toMatchObject({ corrupted: 0, kernelDropped: 0, wireDropped: 0, checksumErrors: 0, interfaceDropped: 0 });
    expect(stats.flows).toHaveLength(1);
    expect(stats.flows[0]).toMatchObject({
      ...{ streamId: sender.streamId, source: SOURCE, group: GROUP },
      ...{ received: 5000, lost: 0, duplicated: 0, reordered: 0, corrupted: 0, passedBy: 0 },
      ...{ firstSequence: 0, lastSequence: 4999, ttlMin: 17, ttlMax: 17, bytes: 5000 * 1028, onWire: 5000, unwanted: 0 },
    });
  });

  test('a group nobody joined reaches the wire and not the receiver', async () => {
    const sender = await net.lab.sender(net.source, { group: GROUP, count: 100 });
    await sender.finished();
    const flow = await eventually(
      async () => {
        const seen = await receiver.flow({ group: GROUP });
        return seen.onWire === 100 && seen;
      },
      { what: '100 frames on the wire' },
    );
    expect(flow).toMatchObject({ received: 0, unwanted: 100, afterLeave: 0, joinToFirstPacketMs: null, wanted: false });
  });

  test('a sender pauses, changes its rate and stops on command', async () => {
    await receiver.join(GROUP);
    const sender = await net.lab.sender(net.source, { group: GROUP, rate: 0 });
    expect((await sender.stats()).sent).toBe(0);
    await sender.setRate(2000);
    await eventually(async () => (await sender.stats()).sent >= 100, { what: 'sender sends' });
    await sender.setRate(0);
    const paused = await sender.stats();
    await receivedAll(receiver, paused.sent);
    expect((await sender.stop()).sent).toBe(paused.sent);
  });

  test('block and unblock: nothing while blocked, which is not loss; the frames are told as after leave', async () => {
    await receiver.join(GROUP);
    const sender = await net.lab.sender(net.source, { group: GROUP, rate: 2000 });
    await eventually(async () => (await receiver.flow({ group: GROUP })).received > 50, { what: 'the stream' });

    await receiver.block(GROUP, SOURCE);
    const blocked = await receiver.flow({ group: GROUP });
    const later = await eventually(
      async () => {
        const flow = await receiver.flow({ group: GROUP });
        return flow.afterLeave > 100 && flow;
      },
      { what: 'frames after the block' },
    );
    expect(later.received).toBe(blocked.received);
    expect(later.afterLeaveLastMs).toBeGreaterThan(40);

    await receiver.unblock(GROUP, SOURCE);
    await eventually(async () => (await receiver.flow({ group: GROUP })).received > blocked.received + 50, {
      what: 'the stream again',
    });
    const { sent } = await sender.stop();
    const flow = await eventually(
      async () => {
        const seen = await receiver.flow({ group: GROUP });
        return seen.lastSequence === sent - 1 && seen;
      },
      { what: 'the last datagram' },
    );
    expect(flow).toMatchObject({ lost: 0, duplicated: 0 });
    expect(flow.passedBy).toBeGreaterThan(100);
    expect(flow.received + flow.passedBy).toBe(sent - (flow.firstSequence ?? 0));
    expect(flow.joinToFirstPacketMs).toBeLessThan(100);
  });

  test('joins for one source let that source alone through, and change by filter', async () => {
    await receiver.join(GROUP, '10.9.0.77');
    const sender = await net.lab.sender(net.source, { group: GROUP, rate: 1000 });
    await eventually(async () => (await receiver.flow({ group: GROUP })).unwanted > 20, {
      what: 'the unwanted stream on the wire',
    });
    expect((await receiver.flow({ group: GROUP })).received).toBe(0);

    await receiver.filter(GROUP, 'include', [SOURCE, '10.9.0.77']);
    await eventually(async () => (await receiver.flow({ group: GROUP })).received > 20, { what: 'the stream' });
    await receiver.filter(GROUP, 'exclude', [SOURCE]);
    const { received } = await receiver.flow({ group: GROUP });
    await eventually(async () => (await receiver.flow({ group: GROUP })).afterLeave > 20, { what: 'frames after the filter' });
    expect((await receiver.flow({ group: GROUP })).received).toBe(received);
    await sender.stop();
  });

  test("a request that the kernel refuses fails with the kernel's reason", async () => {
    await expect(receiver.leave(GROUP)).rejects.toThrow('leave 239.9.0.1: EADDRNOTAVAIL');
    await receiver.join(GROUP);
    await expect(receiver.join(GROUP)).rejects.toThrow('EADDRINUSE');
  });

  test('more groups than a kernel allows by default can be joined', async () => {
    for (let i = 0; i < 200; i++) await receiver.join(`239.9.1.${i}`);
    const joined = await net.viewer.run(['ip', '-4', 'maddress', 'show', 'dev', 'eth0']);
    expect(joined.match(/239\.9\.1\./g)).toHaveLength(200);
  });

  test.each([
    ['1', 0x12],
    ['2', 0x16],
    ['3', 0x22],
  ] as const)('a host told to speak IGMPv%s does', async (version, type) => {
    await net.viewer.setIgmpVersion(Number(version) as 1 | 2 | 3);
    const capture = await net.lab.capture(net.source.namespace, 'eth0', { filter: 'igmp' });
    await receiver.join(GROUP);
    const report = await eventually(async () => (await capture.frames())[0], { what: 'a report' });
    expect(frameFields(report.bytes).ipv4?.payload[0]).toBe(type);
  });
});

describe('damage done to captured frames', () => {
  let net: TwoHosts;
  let receiver: Receiver;
  let frames: readonly Buffer[];
  beforeEach(async () => {
    net = await twoHosts('damage');
    receiver = await net.lab.receiver(net.viewer, { joins: [GROUP] });
    const capture = await net.lab.capture(net.viewer.namespace, 'eth0', { filter: `dst host ${GROUP} and udp` });
    await (await net.lab.sender(net.source, { group: GROUP, count: 10, size: 100 })).finished();
    await receivedAll(receiver, 10);
    await eventually(async () => (await capture.frames()).length === 10, { what: 'ten captured frames' });
    frames = (await capture.stop()).map((frame) => Buffer.from(frame.bytes));
  });
  afterEach(() => net.lab.close());

  const PAYLOAD_AT = 14 + 20 + 8;
  /** RFC 768: a checksum of 0 says that there is none. */
  const withoutUdpChecksum = (frame: Buffer): Buffer => {
    const copy = Buffer.from(frame);
    copy.writeUInt16BE(0, 14 + 20 + 6);
    return copy;
  };

  test('the capture holds what was sent, checksums complete', () => {
    expect(frames.map((frame) => frameFields(frame))).toEqual(
      Array(10).fill(
        expect.objectContaining({
          destinationMac: '01:00:5e:09:00:01',
          sourceMac: '02:00:0a:09:00:01',
          ipv4: expect.objectContaining({ source: SOURCE, destination: GROUP, ttl: 64, protocol: 17, isChecksumGood: true }),
        }),
      ),
    );
  });

  test('a frame sent again twice is two duplicates, not two datagrams', async () => {
    const injector = await net.lab.injector(net.source.namespace, 'eth0');
    await injector.send(frames[4]!);
    await injector.send(frames[4]!);
    await eventually(async () => (await receiver.flow({ group: GROUP })).duplicated === 2, { what: 'two duplicates' });
    expect(await receiver.flow({ group: GROUP })).toMatchObject({ received: 10, lost: 0, onWire: 12 });
  });

  test.each([
    ['sequence number', 8],
    ['time', 16],
    ['first byte of the pattern', 24],
    ['last byte of the pattern', 99],
  ])('a changed %s is corruption, not a datagram', async (_, offset) => {
    const frame = withoutUdpChecksum(frames[4]!);
    frame[PAYLOAD_AT + offset]! ^= 1;
    await (await net.lab.injector(net.source.namespace, 'eth0')).send(frame);
    await eventually(async () => (await receiver.stats()).corrupted === 1, { what: 'a corrupted datagram' });
    expect(await receiver.flow({ group: GROUP })).toMatchObject({ received: 10, duplicated: 0, lost: 0, corrupted: 1 });
  });

  test('a changed byte under the old UDP checksum is a checksum error', async () => {
    const frame = Buffer.from(frames[4]!);
    frame[PAYLOAD_AT + 50]! ^= 1;
    await (await net.lab.injector(net.source.namespace, 'eth0')).send(frame);
    await eventually(async () => (await receiver.stats()).checksumErrors === 1, { what: 'a checksum error' });
    expect(await receiver.flow({ group: GROUP })).toMatchObject({ received: 10, corrupted: 0 });
  });

  test('a gap is loss until the missing ones come, late', async () => {
    const late = await net.lab.receiver(net.viewer, { joins: [GROUP] });
    const injector = await net.lab.injector(net.source.namespace, 'eth0');
    for (const sequence of [2, 3, 7]) await injector.send(frames[sequence]!);
    await eventually(async () => (await late.flow({ group: GROUP })).lost === 3, { what: 'three lost' });
    for (const sequence of [5, 4, 6, 0]) await injector.send(frames[sequence]!);
    await eventually(async () => (await late.flow({ group: GROUP })).received === 7, { what: 'the late ones' });
    // Number 1 is missing now that 0 is the first.
    expect(await late.flow({ group: GROUP })).toMatchObject({
      lost: 1,
      reordered: 4,
      duplicated: 0,
      firstSequence: 0,
      lastSequence: 7,
    });
  });

  test('what is no frame is refused', async () => {
    const injector = await net.lab.injector(net.source.namespace, 'eth0');
    await expect(injector.send(Buffer.alloc(13))).rejects.toThrow('not a frame');
  });
});

test('all hosts of a bridged LAN hear one sender', async () => {
  const lab = await Lab.create('lan');
  try {
    const lan = await lab.bridge('lan');
    const hosts = await Promise.all([1, 2, 3].map((n) => lab.host(`h${n}`, { address: `10.9.1.${n}/24`, to: lan })));
    const receivers = await Promise.all(hosts.slice(1).map((host) => lab.receiver(host, { joins: [GROUP] })));
    await (await lab.sender(hosts[0]!, { group: GROUP, count: 200 })).finished();
    for (const receiver of receivers) await receivedAll(receiver, 200);
  } finally {
    await lab.close();
  }
});

describe('nothing stays', () => {
  test('after close: no namespace, no process, no scratch space, no registered path; closers ran, last first', async () => {
    const { lab, viewer } = await twoHosts('closing');
    const order: string[] = [];
    const pins = `/run/xm-closing-${lab.id}`;
    mkdirSync(`${pins}/deep`, { recursive: true });
    lab.removeOnClose(pins);
    lab.onClose(() => void order.push('first'));
    lab.onClose(() => void order.push('last'));
    const stubborn = lab.spawn(viewer, ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done']);
    await lab.receiver(viewer);
    expect(namespacesOf('closing')).toHaveLength(2);

    await Promise.all([lab.close(), lab.close()]);
    expect(order).toEqual(['last', 'first']);
    expect(namespacesOf('closing')).toEqual([]);
    expect(stubborn.hasExited).toBe(true);
    expect([pins, lab.directory].filter((path) => existsSync(path))).toEqual([]);
  });

  test('only places made for throwing away can be registered', async () => {
    const lab = await Lab.create('paths');
    try {
      expect(() => lab.removeOnClose('/etc/hosts')).toThrow('must be below');
      expect(() => lab.removeOnClose('/tmp/../etc')).toThrow('must be below');
    } finally {
      await lab.close();
    }
  });

  test('two labs of the same name live side by side, and closing one leaves the other', async () => {
    const [one, other] = await Promise.all([twoHosts('twin'), twoHosts('twin')]);
    try {
      expect(namespacesOf('twin')).toHaveLength(4);
      await one.lab.close();
      expect(namespacesOf('twin')).toHaveLength(2);
      const receiver = await other.lab.receiver(other.viewer, { joins: [GROUP] });
      await (await other.lab.sender(other.source, { group: GROUP, count: 50 })).finished();
      await receivedAll(receiver, 50);
    } finally {
      await Promise.all([one.lab.close(), other.lab.close()]);
    }
  });

  describe('of a process that was killed', () => {
    /** Makes a lab with a busy program in it, says what it made, and waits to be killed. */
    const OWNER = `
      const { readFileSync } = require('node:fs');
      const ts = require(${JSON.stringify(inRepository('node_modules/typescript'))});
      const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 };
      const compile = (file) => ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions }).outputText;
      require.extensions['.ts'] = (module, file) => module._compile(compile(file), file);
      const { Lab } = require(${JSON.stringify(inRepository('test/lab/lab.ts'))});
      (async () => {
        const lab = await Lab.create('killed');
        const router = await lab.namespace('router');
        const host = await lab.host('host', { address: '10.9.2.2/24', to: [router, 'eth0', '10.9.2.1/24'] });
        // Unique as a number of seconds, a stream and a search text.
        const mark = '7' + String(process.pid).padStart(8, '0');
        await lab.sender(host, { group: '239.9.2.1', rate: 10, streamId: Number(mark) });
        lab.spawn(undefined, ['sleep', mark]);
        // In a session of its own, as a daemon: only its namespace gives it away.
        lab.spawn(router, ['setsid', '--fork', 'sleep', mark]);
        console.log(JSON.stringify({ directory: lab.directory, mark }));
      })();
    `;

    test('namespaces, processes, daemons and scratch space are gone moments later', async () => {
      const owner = spawn(process.execPath, ['-e', OWNER], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        const [text] = (await once(owner.stdout, 'data')) as [Buffer];
        const made = JSON.parse(text.toString()) as { directory: string; mark: string };
        // The sender, the program outside and the daemon.
        await eventually(() => commandsWith(made.mark).length === 3, { what: 'three programs run' });
        expect(namespacesOf('killed')).toHaveLength(2);

        owner.kill('SIGKILL');
        await eventually(() => namespacesOf('killed').length === 0 && !existsSync(made.directory), {
          what: 'the lab is removed',
        });
        await eventually(() => commandsWith(made.mark).length === 0, { what: 'no program runs' });
      } finally {
        owner.kill('SIGKILL');
      }
    });
  });

  test('what even the watchdog could not remove is swept by the next process', async () => {
    // A record whose owner, by number and start time, does not run.
    const record = `/run/xmcast-lab/${process.pid}-1-1`;
    mkdirSync(`${record}/files`, { recursive: true });
    expect(await sweepDeadLabs()).toBeGreaterThanOrEqual(1);
    expect(existsSync(record)).toBe(false);
  });
});

/** Command lines of all running processes that contain the text. */
function commandsWith(text: string): readonly string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(commandOf).filter((command) => command.includes(text));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    // Ended while we looked.
    return '';
  }
}
