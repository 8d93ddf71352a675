/** Properties of the IGMP codec over all messages and over hostile bytes. */
import fc from 'fast-check';
import { maxRespCodeToMs, qqicToMs } from '../../control/protocol/igmp/codes';
import { decodeIgmpPacket } from '../../control/protocol/igmp/decode';
import { buildIgmpPacket } from '../../control/protocol/igmp/encode';
import {
  IGMP_DROP_REASONS,
  RecordType,
  type IgmpMessage,
  type IgmpQuery,
  type ReceivedIgmp,
} from '../../control/protocol/igmp/message';
import { internetChecksum } from '../../control/protocol/packet/checksum';

const CODEC_REASONS: ReadonlySet<string> = new Set(IGMP_DROP_REASONS.slice(0, IGMP_DROP_REASONS.indexOf('off_subnet_source')));
const RUNS = 10_000;

const unicast = fc.oneof(fc.integer({ min: 0x01000000, max: 0x7effffff }), fc.integer({ min: 0x80000000, max: 0xdfffffff }));
const group = fc.integer({ min: 0xe0000100, max: 0xefffffff });
const sources = fc.uniqueArray(unicast, { maxLength: 24 });
const beforeV3 = { suppressRouterProcessing: false, querierRobustness: 0, querierQueryIntervalMs: 0, sources: [] };

const queryV1 = fc.constant<IgmpQuery>({ kind: 'query', version: 1, group: 0, maxResponseTimeMs: 10_000, ...beforeV3 });
const queryV2 = fc
  .record({ group: fc.oneof(fc.constant(0), group), tenths: fc.integer({ min: 1, max: 255 }) })
  .map((query): IgmpQuery => ({
    kind: 'query',
    version: 2,
    group: query.group,
    maxResponseTimeMs: query.tenths * 100,
    ...beforeV3,
  }));
const queryV3 = fc
  .record({
    target: fc.oneof(fc.constant({ group: 0, sources: [] }), fc.record({ group, sources })),
    code: fc.nat(255),
    qqic: fc.nat(255),
    suppressRouterProcessing: fc.boolean(),
    querierRobustness: fc.nat(7),
  })
  .map(({ target, code, qqic, ...rest }): IgmpQuery => ({
    kind: 'query',
    version: 3,
    ...target,
    ...rest,
    maxResponseTimeMs: maxRespCodeToMs(code),
    querierQueryIntervalMs: qqicToMs(qqic),
  }));
const groupMessage = fc.record({ kind: fc.constantFrom('report-v1' as const, 'report-v2' as const, 'leave' as const), group });
const record = fc.record({ type: fc.constantFrom(...Object.values(RecordType)), group, sources });
const reportV3 = fc.record({ kind: fc.constant('report-v3' as const), records: fc.array(record, { maxLength: 6 }) });
const message: fc.Arbitrary<IgmpMessage> = fc.oneof(queryV1, queryV2, queryV3, groupMessage, reportV3);

function usualDestination(of: IgmpMessage): number {
  if (of.kind === 'report-v3') return 0xe0000016;
  if (of.kind === 'leave') return 0xe0000002;
  return of.group === 0 ? 0xe0000001 : of.group;
}

const packet = fc
  .record({ message, source: fc.oneof(fc.constant(0), unicast), identification: fc.nat(0xffff) })
  .map((parts) => ({ ...parts, bytes: buildIgmpPacket({ ...parts, destination: usualDestination(parts.message) }) }));

test('decoding what was built gives the message back, padding or not', () => {
  fc.assert(
    fc.property(packet, fc.uint8Array({ maxLength: 20 }), (built, padding) => {
      const { version, kind } = { version: undefined, ...built.message };
      expect(decodeIgmpPacket(Buffer.concat([built.bytes, padding]))).toEqual({
        ok: true,
        value: {
          source: built.source,
          destination: usualDestination(built.message),
          routerAlert: version !== 1 && kind !== 'report-v1',
          message: built.message,
          skipped: [],
        },
      });
    }),
    { numRuns: 3_000 },
  );
});

/** What holds for anything that is accepted, whoever sent it. Plain code: an expect() per address would be most of the run. */
function brokenPromise(received: ReceivedIgmp, length: number): string | undefined {
  const isMulticast = (address: number) => address >= 0xe0000000 && address <= 0xefffffff;
  const isUnicast = (address: number) => address >= 0x01000000 && address < 0xe0000000 && address >>> 24 !== 127;
  const { message: accepted, source } = received;
  if (source !== 0 && !isUnicast(source)) return 'source';
  const lists = accepted.kind === 'report-v3' ? accepted.records : accepted.kind === 'query' ? [accepted] : [];
  for (const list of lists) {
    if (!list.sources.every(isUnicast)) return 'a source that is not unicast';
    if (new Set(list.sources).size !== list.sources.length) return 'a source twice';
  }
  if (lists.reduce((sum, list) => sum + list.sources.length * 4, 0) > length) return 'more sources than bytes';
  if (accepted.kind === 'report-v3') {
    const isGood = accepted.records.every(
      (each) => isMulticast(each.group) && each.group >= 0xe0000100 && each.type >= 1 && each.type <= 6,
    );
    return isGood ? undefined : 'a record';
  }
  if (accepted.kind === 'query' && accepted.group === 0)
    return accepted.sources.length === 0 ? undefined : 'sources without a group';
  return isMulticast(accepted.group) ? undefined : 'group';
}

/** Decodes, and throws when the decoder broke one of its promises. */
function decodeAndCheck(bytes: Uint8Array): string {
  const before = Buffer.from(bytes);
  const decoded = decodeIgmpPacket(bytes);
  if (!before.equals(bytes)) throw new Error('the decoder wrote into its input');
  if (!decoded.ok) {
    if (!CODEC_REASONS.has(decoded.error)) throw new Error(`not a reason of the codec: ${decoded.error}`);
    return decoded.error;
  }
  const unlisted = decoded.value.skipped.find((reason) => !CODEC_REASONS.has(reason));
  const broken = brokenPromise(decoded.value, bytes.length);
  if (unlisted !== undefined || broken !== undefined) throw new Error(`accepted with ${unlisted ?? broken}`);
  return 'accepted';
}

test('any bytes give a message or a listed reason', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
      decodeAndCheck(bytes);
    }),
    { numRuns: RUNS },
  );
});

/** Makes the checksums right again, so that a mutation is met by the check it is aimed at and not by the checksum. */
function repairChecksums(bytes: Buffer): void {
  const headerLength = ((bytes[0] ?? 0) & 0x0f) * 4;
  if (headerLength < 20 || bytes.length < headerLength + 4) return;
  const end = Math.min(bytes.length, bytes.readUInt16BE(2));
  bytes.writeUInt16BE(0, 10);
  bytes.writeUInt16BE(internetChecksum(bytes.subarray(0, headerLength)), 10);
  if (end < headerLength + 4) return;
  bytes.writeUInt16BE(0, headerLength + 2);
  bytes.writeUInt16BE(internetChecksum(bytes.subarray(headerLength, end)), headerLength + 2);
}

const mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'cut', 'append', 'insert', 'remove' as const),
  // Half of the positions are in the payload's head, where the counts are.
  position: fc.oneof(fc.nat(600), fc.integer({ min: 24, max: 40 })),
  value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 127, 128, 255)),
});

function mutate(bytes: Buffer, { kind, position, value }: { kind: string; position: number; value: number }): Buffer {
  const at = bytes.length === 0 ? 0 : position % bytes.length;
  const changed = Buffer.from(bytes);
  if (kind === 'cut') return changed.subarray(0, at);
  if (kind === 'append') return Buffer.concat([changed, Buffer.alloc(value % 32, value)]);
  if (kind === 'insert') return Buffer.concat([changed.subarray(0, at), Buffer.of(value), changed.subarray(at)]);
  if (kind === 'remove') return Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1)]);
  if (at < changed.length) changed[at] = kind === 'flip' ? changed[at]! ^ (1 << (value & 7)) : value;
  return changed;
}

test('mutated packets give a message or a listed reason, and reach every check of the IGMP part', () => {
  const outcomes = new Map<string, number>();
  const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(packet, mutations, fc.boolean(), fc.boolean(), (built, changes, repairLength, repairSums) => {
      const bytes = changes.reduce(mutate, Buffer.from(built.bytes));
      if (repairLength && bytes.length >= 4) bytes.writeUInt16BE(bytes.length, 2);
      if (repairSums) repairChecksums(bytes);
      const outcome = decodeAndCheck(bytes);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns: RUNS },
  );
  // The property proves little when the mutations all die at the door.
  for (const reached of ['accepted', 'too_short', 'bad_checksum', 'unknown_type', 'bad_destination', 'record_overruns']) {
    expect(outcomes.get(reached) ?? 0).toBeGreaterThan(10);
  }
});
