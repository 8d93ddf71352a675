import fc from 'fast-check';
import {
  decodeFloatCode,
  encodeFloatCode,
  linearMaxRespFromMs,
  linearMaxRespToMs,
  maxRespCodeFromMs,
  maxRespCodeToMs,
  maxSourcesPerQuery,
  packReports,
  qqicFromMs,
  qqicToMs,
  splitQuerySources,
} from '../../../control/protocol/igmp/codes';
import { buildIgmpPacket } from '../../../control/protocol/igmp/encode';
import { RecordType, type GroupRecord } from '../../../control/protocol/igmp/message';

const from = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
const record = (type: RecordType, group: number, sources: readonly number[] = []): GroupRecord => ({ type, group, sources });

describe('floating point codes (RFC 3376 §4.1.1)', () => {
  test.each([
    [0, 0],
    [100, 100],
    [127, 127],
    [128, 128],
    [129, 136],
    [143, 248],
    [144, 256],
    [159, 496],
    [160, 512],
    [255, 31_744],
  ])('code %d is %d', (code, value) => {
    expect(decodeFloatCode(code)).toBe(value);
    expect(encodeFloatCode(value)).toBe(code);
  });

  test('every code survives', () => {
    for (let code = 0; code < 256; code += 1) expect(encodeFloatCode(decodeFloatCode(code))).toBe(code);
  });

  test('every value gets the largest code that is not above it', () => {
    for (let value = 0; value < 33_000; value += 1) {
      const code = encodeFloatCode(value);
      expect(decodeFloatCode(code)).toBeLessThanOrEqual(value);
      if (code < 255) expect(decodeFloatCode(code + 1)).toBeGreaterThan(value);
    }
  });

  test('what is no time becomes the nearest that is', () => {
    expect([-1, 0.99, Number.NaN, 127.9, 1e9, Infinity].map(encodeFloatCode)).toEqual([0, 0, 0, 127, 255, 255]);
  });

  test('units: tenths of a second for the response, seconds for the interval', () => {
    expect([maxRespCodeToMs(100), qqicToMs(125)]).toEqual([10_000, 125_000]);
    expect([maxRespCodeFromMs(10_000), qqicFromMs(125_000)]).toEqual([100, 125]);
    expect([linearMaxRespToMs(255), linearMaxRespFromMs(25_500)]).toEqual([25_500, 255]);
  });
});

describe('sources of queries', () => {
  test('366 fit on Ethernet (RFC 3376 §4.1.8)', () => {
    expect(maxSourcesPerQuery(1500)).toBe(366);
    expect(maxSourcesPerQuery(1499)).toBe(365);
    expect(maxSourcesPerQuery(576)).toBe(135);
  });

  test('an MTU that cannot be is taken as the nearest that can', () => {
    expect(maxSourcesPerQuery(0)).toBe(8);
    expect(maxSourcesPerQuery(65_536)).toBe(maxSourcesPerQuery(65_535));
  });

  test('are split in order, and none give no query', () => {
    expect(splitQuerySources([], 1500)).toEqual([]);
    expect(splitQuerySources(from(1, 366), 1500)).toEqual([from(1, 366)]);
    expect(splitQuerySources(from(1, 733), 1500)).toEqual([from(1, 366), from(367, 366), [733]]);
  });
});

describe('packing of reports (RFC 3376 §4.2.16)', () => {
  const group = 0xef010101;
  // (1500 − 24 − 8 − 8) / 4
  const most = 365;

  test('no records, no reports', () => {
    expect(packReports([], 1500)).toEqual([]);
  });

  test('as many records as fit share one report', () => {
    const records = from(group, 183).map((each) => record(4, each));
    expect(packReports(records, 1500)).toEqual([{ kind: 'report-v3', records }]);
    const more = [...records, record(4, group + 183)];
    expect(packReports(more, 1500).map((report) => report.records.length)).toEqual([183, 1]);
  });

  test('a record that does not fit any more goes whole into the next report', () => {
    const first = record(5, group, from(1, 200));
    const second = record(6, group, from(1, 200));
    expect(packReports([first, second], 1500).map((report) => report.records)).toEqual([[first], [second]]);
  });

  test.each([
    RecordType.MODE_IS_INCLUDE,
    RecordType.CHANGE_TO_INCLUDE_MODE,
    RecordType.ALLOW_NEW_SOURCES,
    RecordType.BLOCK_OLD_SOURCES,
  ])('type %d is split, each part in a report of its own', (type) => {
    const reports = packReports([record(type, group, from(1, most * 2 + 1))], 1500);
    expect(reports.map((report) => report.records)).toEqual([
      [record(type, group, from(1, most))],
      [record(type, group, from(1 + most, most))],
      [record(type, group, [most * 2 + 1])],
    ]);
  });

  test.each([RecordType.MODE_IS_EXCLUDE, RecordType.CHANGE_TO_EXCLUDE_MODE])(
    'type %d is cut, to the same sources in any order',
    (type) => {
      const sources = from(1, most + 50);
      const cut = [{ kind: 'report-v3', records: [record(type, group, sources.slice(0, most))] }];
      expect(packReports([record(type, group, sources)], 1500)).toEqual(cut);
      expect(packReports([record(type, group, sources.toReversed())], 1500)).toEqual(cut);
    },
  );

  test('nothing is lost or reordered, and every packet fits its link', () => {
    const records = fc.array(
      fc.record({
        type: fc.constantFrom(...Object.values(RecordType)),
        group: fc.integer({ min: 0xe0000100, max: 0xefffffff }),
        sources: fc.uniqueArray(fc.integer({ min: 0x01000000, max: 0x7effffff }), { maxLength: 40 }),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(records, fc.integer({ min: 68, max: 220 }), (wanted, mtu) => {
        const reports = packReports(wanted, mtu);
        for (const message of reports) {
          expect(message.records.length).toBeGreaterThan(0);
          expect(buildIgmpPacket({ source: 1, destination: 0xe0000016, message }).length).toBeLessThanOrEqual(mtu);
        }
        const sent = reports.flatMap((report) => report.records);
        expect(flatten(sent)).toEqual(flatten(wanted.map((each) => cutExclude(each, mtu))));
      }),
    );
  });

  /** (type, group, source) in order; a record without sources counts once. */
  function flatten(records: readonly GroupRecord[]): string[] {
    return records.flatMap(({ type, group: of, sources }) =>
      sources.length === 0 ? [`${type} ${of}`] : sources.map((source) => `${type} ${of} ${source}`),
    );
  }

  function cutExclude(each: GroupRecord, mtu: number): GroupRecord {
    const limit = Math.floor((mtu - 40) / 4);
    if ((each.type !== 2 && each.type !== 4) || each.sources.length <= limit) return each;
    return { ...each, sources: [...each.sources].sort((left, right) => left - right).slice(0, limit) };
  }
});
