/** The arithmetic of the benchmark: what could make its figures lie without anybody noticing. */
import { internetChecksum } from '../../../control/protocol/packet/checksum';
import { benchFrame, FIRST_SOURCE, frameBytesOf, generatorState, groupOf, strideThrough } from '../../bench/forward/stream';
import { heldAgainstTargets, pairedRatios, spread, type Cell, type Spread } from '../../bench/forward/results';

const always = (value: number): Spread => ({ median: value, min: value, max: value });
const nothing = { copiesPerSecond: always(1), copiesPerWallSecond: always(1), nsPerPacket: 1, nsPerCopy: 1, lost: 0 };

function cell(ports: number, overKernel: number, overBare: number, tcOverKernel = 2): Cell {
  const contenders = { xmcast: nothing, tc: nothing, kernel: nothing, bare: nothing, egress: nothing };
  return { ports, size: 64, frameBytes: 60, rounds: 3, contenders, overKernel: always(overKernel), tcOverKernel: always(tcOverKernel), overBare: always(overBare), egressOverBare: always(0.9) };
}

test.each([1, 2, 7, 1000, 128_000, 131_072])('a walk through %d sources visits each once a round', (sources) => {
  const stride = strideThrough(sources);
  const seen = new Set<number>();
  for (let at = 0, i = 0; i < sources; i++, at = (at + stride) % sources) seen.add(at);
  expect(seen.size).toBe(sources);
});

test('a large table is not walked in order', () => {
  expect(strideThrough(128_000)).toBeGreaterThan(1000);
});

test('64 bytes are quoted with frame check sequence, other sizes without', () => {
  expect([64, 1358].map(frameBytesOf)).toEqual([60, 1358]);
  expect(benchFrame(groupOf(4), 60)).toHaveLength(60);
  expect(benchFrame(groupOf(4), 1358)).toHaveLength(1358);
});

test('the generator starts from a header whose checksum it can complete', () => {
  const frame = benchFrame(groupOf(4), 60);
  const state = generatorState(frame, 1000);
  const header = state.slice(0, 20);
  const view = new DataView(header.buffer);
  expect(view.getUint32(12)).toBe(0);
  view.setUint32(12, FIRST_SOURCE);
  view.setUint16(10, internetChecksum(header));
  expect([...header]).toEqual([...frame.subarray(14, 34)]);
});

test('the median of an even number of rounds lies between the middle two', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spread([5])).toEqual({ median: 5, min: 5, max: 5 });
  expect(() => spread([])).toThrow('no rounds');
});

test('rounds are compared with themselves, not with the best of the other', () => {
  expect(pairedRatios([10, 20], [5, 5])).toEqual([2, 4]);
});

test('the kernel forwarder is a target from 4 ports, the bare broadcast always', () => {
  const targets = heldAgainstTargets([cell(1, 2, 0.9), cell(4, 5, 0.84)], null);
  expect(targets.map(({ target, met }) => [target, met])).toEqual([
    ['1 port, 64 B: at least 0.85 of the bare broadcast', true],
    ['4 ports, 64 B: at least 5 x the kernel forwarder', true],
    ['4 ports, 64 B: at least 1.8 x the kernel forwarder in tc mode', true],
    ['4 ports, 64 B: at least 0.85 of the bare broadcast', false],
  ]);
});

test('a full table may cost 1.3 times one route', () => {
  const fill = { elapsedMs: 1, heapBytes: 1 };
  const table = {
    routes: 128_000,
    ports: 4,
    frameBytes: 60,
    oneRouteNsPerPacket: 1000,
    allRoutesNsPerPacket: 1310,
    ratio: always(1.31),
    fill,
  };
  expect(heldAgainstTargets([], table)).toEqual([
    { target: 'a packet with 128000 routes costs at most 1.3 x one with one route', value: 1.31, met: false },
  ]);
});
