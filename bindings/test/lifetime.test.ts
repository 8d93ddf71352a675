/** Nothing leaks, and processes and worker threads end cleanly whatever is still open. */
import { evaluate } from './child-process';
import { FixtureFolder } from './compile-fixture';

const folder = new FixtureFolder();
let path: string;

beforeAll(() => {
  path = folder.compile('kinds');
});
afterAll(() => folder.remove());

test('200 of every kind, opened and closed, leave no descriptor behind', async () => {
  const counts = await evaluate(
    async (bindings, { path, lockFile }) => {
      const { BpfObject, BpfMap, RingBufferReader, NetlinkSocket, PacketSocket, RawIpSocket, FileLock } = bindings;
      const { readdirSync } = process.getBuiltinModule('node:fs');
      const open = (): number => readdirSync('/proc/self/fd').length;
      const object = BpfObject.open(path);
      await object.load();
      const ignore = (): void => undefined;
      const kinds: Record<string, () => { close(): void }> = {
        map: () => BpfMap.create({ type: 1, name: 'm', keySize: 4, valueSize: 4, maxEntries: 1 }),
        mapOfObject: () => object.map('flows'),
        program: () => object.program('classify'),
        link: () => object.attachTracing('count_transmitted'),
        object: () => BpfObject.open(path),
        netlink: () => new NetlinkSocket({ groups: [1], onMessage: ignore, onError: ignore }),
        packet: () => new PacketSocket({ ifindex: 1, protocol: 3, onFrame: ignore }),
        packetTransmit: () => new PacketSocket({ ifindex: 1, protocol: 0 }),
        raw: () => new RawIpSocket({ protocol: 2, onPacket: ignore }),
        lock: () => new FileLock(lockFile),
        ring: () => {
          const map = object.map('events');
          const reader = new RingBufferReader(map, ignore);
          map.close();
          return reader;
        },
      };
      // Sockets are released by the event loop, packet sockets on a thread.
      const settle = async (wanted: number): Promise<void> => {
        const deadline = Date.now() + 2000;
        let turns = 0;
        while (Date.now() < deadline && (turns < 3 || (wanted > 0 && open() > wanted))) {
          turns += 1;
          await new Promise(setImmediate);
        }
      };
      const growth: Record<string, number> = {};
      for (const [name, make] of Object.entries(kinds)) {
        make().close();
        await settle(0);
        const before = open();
        for (let i = 0; i < 200; i += 1) make().close();
        await settle(before);
        growth[name] = open() - before;
      }
      return growth;
    },
    { path, lockFile: `${folder.path}/lock` },
  );
  expect(Object.entries(counts).filter(([, growth]) => growth > 0)).toEqual([]);
  // Each tracing link waits for an RCU grace period of the kernel.
}, 30_000);

test('failed constructions leave no descriptor behind either', async () => {
  const growth = await evaluate(async (bindings) => {
    const { BpfObject, BpfMap, RingBufferReader, NetlinkSocket, PacketSocket } = bindings;
    const { readdirSync } = process.getBuiltinModule('node:fs');
    const map = BpfMap.create({ type: 1, name: 'm', keySize: 4, valueSize: 4, maxEntries: 1 });
    const ignore = (): void => undefined;
    const failing: (() => unknown)[] = [
      () => new RingBufferReader(map, ignore),
      () => new NetlinkSocket({ groups: [100_000], onMessage: ignore, onError: ignore }),
      () => new PacketSocket({ ifindex: 4000, protocol: 3, onFrame: ignore }),
      () => BpfObject.open('/etc/passwd'),
    ];
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (const call of failing) {
      for (let i = 0; i < 50; i += 1) {
        try {
          call();
        } catch {
          // Expected: only what it leaves behind matters here.
        }
      }
    }
    // Packet sockets are released on a thread.
    const deadline = Date.now() + 2000;
    while (open() > before && Date.now() < deadline) await new Promise(setImmediate);
    return open() - before;
  }, {});
  expect(growth).toBe(0);
});

test('maps and programs that are forgotten are closed by the garbage collector', async () => {
  const growth = await evaluate(async ({ BpfMap }) => {
    const { readdirSync } = process.getBuiltinModule('node:fs');
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    const { runInNewContext } = process.getBuiltinModule('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let i = 0; i < 200; i += 1) BpfMap.create({ type: 1, name: 'm', keySize: 4, valueSize: 4, maxEntries: 1 });
    const deadline = Date.now() + 5000;
    while (open() > before + 5 && Date.now() < deadline) {
      collect();
      await new Promise(setImmediate);
    }
    return open() - before;
  }, {});
  expect(growth).toBeLessThanOrEqual(5);
});

test('a process may exit with everything open', async () => {
  const said = await evaluate(
    async ({ BpfObject, RingBufferReader, NetlinkSocket, PacketSocket }, { path }) => {
      const object = BpfObject.open(path);
      await object.load();
      const ignore = (): void => undefined;
      new RingBufferReader(object.map('events'), ignore);
      new NetlinkSocket({ groups: [1], onMessage: ignore, onError: ignore });
      new PacketSocket({ ifindex: 1, protocol: 3, onFrame: ignore });
      setImmediate(() => setImmediate(() => process.exit(0)));
      return 'open';
    },
    { path },
  );
  expect(said).toBe('open');
});

test('a worker thread may be stopped with everything open, and the addon still works', async () => {
  const result = await evaluate(
    async ({ possibleCpus }, { path, addon }) => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const script = `
        const { parentPort } = require('node:worker_threads');
        const { BpfObject, RingBufferReader, NetlinkSocket, PacketSocket } = require(${JSON.stringify(addon)});
        (async () => {
          const object = BpfObject.open(${JSON.stringify(path)});
          await object.load();
          new RingBufferReader(object.map('events'), () => undefined);
          new NetlinkSocket({ groups: [1], onMessage: () => undefined, onError: () => undefined });
          new PacketSocket({ ifindex: 1, protocol: 3, onFrame: () => undefined });
          object.map('flows').lookupBatch();
          parentPort.postMessage('ready');
        })();`;
      const { readdirSync, readlinkSync } = process.getBuiltinModule('node:fs');
      // libuv keeps descriptors of ended threads for itself; sockets and BPF objects are ours alone.
      const ours = (): number =>
        readdirSync('/proc/self/fd').filter((fd) => {
          try {
            return /socket:|bpf/.test(readlinkSync(`/proc/self/fd/${fd}`));
          } catch {
            // The descriptor of the listing itself is gone by now.
            return false;
          }
        }).length;
      const before = ours();
      const codes: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const worker = new Worker(script, { eval: true });
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        codes.push(await worker.terminate());
      }
      const deadline = Date.now() + 2000;
      while (ours() > before && Date.now() < deadline) await new Promise(setImmediate);
      return { codes, left: ours() - before, cpus: possibleCpus() > 0 };
    },
    { path, addon: require.resolve('../index.js') },
  );
  expect(result).toEqual({ codes: [1, 1, 1], left: 0, cpus: true });
});
