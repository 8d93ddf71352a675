/** Loading programs, the verifier's words, and BPF_PROG_TEST_RUN. */
import { type BpfProgram, BpfObject, type BtfLayout } from '#bindings';

import { ethernetFrame, failureOf, readU32, u32 } from './bytes';
import { FixtureFolder } from './compile-fixture';

const XDP_PASS = 2;
const XDP_TX = 3;
const LOOPBACK = 1;

const folder = new FixtureFolder();
let path: string;
let object: BpfObject;
const opened: BpfProgram[] = [];

beforeAll(async () => {
  path = folder.compile('kinds');
  object = BpfObject.open(path);
  await object.load();
});
afterAll(() => {
  object.close();
  folder.remove();
});
afterEach(() => {
  for (const program of opened.splice(0)) program.close();
});

function fixtureProgram(name: string): BpfProgram {
  const program = object.program(name);
  opened.push(program);
  return program;
}

function offsetOf(layout: BtfLayout, variable: string): number {
  const found = layout.variables.find((candidate) => candidate.name === variable);
  if (found === undefined) throw new Error(`no variable ${variable}`);
  return found.offset;
}

describe('loading', () => {
  test('a program knows its full name, its id and its size', () => {
    const program = fixtureProgram('broadcast_group_zero');
    expect(program.name).toBe('broadcast_group_zero');
    expect(program.id).toBeGreaterThan(0);
    expect(program.info.translatedInstructions).toBeGreaterThan(0);
    expect(program.info.verifiedInstructions).toBeGreaterThan(0);
  });

  test('a program that fails verification carries the words of the verifier', async () => {
    const bad = BpfObject.open(folder.compile('unverifiable'));
    await expect(bad.load()).rejects.toMatchObject({
      errno: 13,
      code: 'EACCES',
      operation: expect.stringMatching(/^load .*unverifiable/),
      libbpfLog: expect.stringContaining('invalid access to packet'),
    });
    expect(failureOf(() => bad.program('reads_past_the_end'))).toMatchObject({ code: 'EINVAL' });
    await expect(bad.load()).rejects.toMatchObject({ code: 'EINVAL' });
    bad.close();
  });

  test('the log of one call does not appear in the next', async () => {
    const bad = BpfObject.open(folder.compile('unverifiable'));
    await expect(bad.load()).rejects.toMatchObject({ libbpfLog: expect.stringContaining('reads_past_the_end') });
    bad.close();
    expect(failureOf(() => BpfObject.open('/nonexistent')).libbpfLog).not.toContain('reads_past_the_end');
  });

  test('what is no BPF object is refused by name', () => {
    expect(failureOf(() => BpfObject.open('/nonexistent'))).toMatchObject({
      code: 'ENOENT',
      operation: 'open BPF object /nonexistent',
    });
    expect(failureOf(() => BpfObject.open('/etc/passwd'))).toMatchObject({ code: 'LIBBPF_FORMAT' });
  });

  test('switches in .rodata are set before load and not after', async () => {
    const other = BpfObject.open(path);
    other.setRodata(offsetOf(other.btf, 'threshold'), u32(42));
    await other.load();
    const program = other.program('read_rodata');
    expect(program.run({ data: ethernetFrame() }).retval).toBe(42);
    expect(fixtureProgram('read_rodata').run({ data: ethernetFrame() }).retval).toBe(3);
    expect(failureOf(() => other.setRodata(0, u32(1)))).toMatchObject({ code: 'EINVAL' });
    program.close();
    other.close();
  });

  test('bytes past the end of .rodata are refused', () => {
    const other = BpfObject.open(path);
    expect(failureOf(() => other.setRodata(1 << 20, u32(1)))).toMatchObject({ code: 'ERANGE' });
    expect(failureOf(() => other.setRodata(10, u32(1, 2)))).toMatchObject({ code: 'ERANGE' });
    other.close();
  });

  test('a program left out is not loaded', async () => {
    const other = BpfObject.open(path);
    other.setAutoload('count_transmitted', false);
    await other.load();
    expect(failureOf(() => other.program('count_transmitted'))).toMatchObject({ code: 'ENOENT' });
    other.close();
  });

  test('while it loads an object answers EBUSY, and may be closed', async () => {
    const other = BpfObject.open(path);
    const loading = other.load();
    expect(failureOf(() => other.program('classify'))).toMatchObject({ code: 'EBUSY' });
    await expect(other.load()).rejects.toMatchObject({ code: 'EBUSY' });
    other.close();
    await expect(loading).resolves.toBeUndefined();
  });

  test('programs are not there before load, and outlive their object', async () => {
    const other = BpfObject.open(path);
    expect(failureOf(() => other.program('classify'))).toMatchObject({ code: 'EINVAL' });
    await other.load();
    const program = other.program('read_rodata');
    other.close();
    expect(program.run({ data: ethernetFrame() }).retval).toBe(3);
    program.close();
    expect(failureOf(() => program.run({ data: ethernetFrame() }))).toMatchObject({ code: 'EBADF' });
    expect(failureOf(() => other.program('read_rodata'))).toMatchObject({ code: 'EBADF' });
  });

  test('a tracing program is attached by its own section', () => {
    const link = object.attachTracing('count_transmitted');
    expect(link.id).toBeGreaterThan(0);
    expect(link.ifindex).toBe(0);
    link.close();
    expect(failureOf(() => link.id)).toMatchObject({ code: 'EBADF' });
    expect(failureOf(() => object.attachTracing('nowhere'))).toMatchObject({ code: 'ENOENT' });
  });
});

describe('running', () => {
  test('metadata goes in before the packet and is not in what comes out', () => {
    const data = ethernetFrame();
    data.set(u32(5), 0);
    const result = fixtureProgram('add_metadata').run({ data, dataMeta: u32(37) });
    expect(result.retval).toBe(XDP_TX);
    expect(result.dataOut.length).toBe(data.length);
    expect(readU32(result.dataOut)).toBe(42);
    expect(result.dataOut.subarray(4)).toEqual(data.subarray(4));
  });

  test('without metadata the program sees none', () => {
    expect(readU32(fixtureProgram('add_metadata').run({ data: ethernetFrame() }).dataOut)).toBe(0);
  });

  test('a header pushed by the program is part of the packet', () => {
    expect(fixtureProgram('push_four_bytes').run({ data: ethernetFrame(100) }).dataOut.length).toBe(104);
  });

  test('the ingress interface is the one asked for', () => {
    const result = fixtureProgram('write_ingress').run({ data: ethernetFrame(), ingressIfindex: LOOPBACK });
    expect(result.retval).toBe(XDP_PASS);
    expect(readU32(result.dataOut)).toBe(LOOPBACK);
  });

  test('an ingress interface that does not exist is ENODEV', () => {
    expect(
      failureOf(() => fixtureProgram('write_ingress').run({ data: ethernetFrame(), ingressIfindex: 0x7ffffff0 })),
    ).toMatchObject({
      code: 'ENODEV',
      operation: 'run program write_ingress',
    });
  });

  test('repeat measures time per run', () => {
    expect(fixtureProgram('count_and_drop').run({ data: ethernetFrame(), repeat: 1000 }).durationNs).toBeGreaterThan(0);
  });

  test('room for less than the packet is ENOSPC', () => {
    expect(failureOf(() => fixtureProgram('read_rodata').run({ data: ethernetFrame(100), dataSizeOut: 50 }))).toMatchObject({
      code: 'ENOSPC',
    });
  });

  test('less than an Ethernet header is refused', () => {
    expect(failureOf(() => fixtureProgram('read_rodata').run({ data: new Uint8Array(13) }))).toMatchObject({ code: 'EINVAL' });
  });

  test('a tc program runs too, without metadata', () => {
    const program = fixtureProgram('classify');
    expect(program.run({ data: ethernetFrame() }).retval).toBe(0);
    expect(failureOf(() => program.run({ data: ethernetFrame(), dataMeta: u32(1) }))).toMatchObject({ code: 'EINVAL' });
  });

  test('on a worker thread it ends the same way, also when it fails', async () => {
    const program = fixtureProgram('push_four_bytes');
    const data = ethernetFrame(100);
    expect((await program.runAsync({ data })).dataOut).toEqual(program.run({ data }).dataOut);
    await expect(program.runAsync({ data: new Uint8Array(13) })).rejects.toMatchObject({ code: 'EINVAL', operation: 'run program push_four_bytes' });
  });

  test('the caller may reuse its buffer at once', () => {
    const data = ethernetFrame();
    const before = data.slice();
    fixtureProgram('push_four_bytes').run({ data });
    expect(data).toEqual(before);
  });
});
