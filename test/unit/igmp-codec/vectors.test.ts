import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { buildIgmpPacket, encodeIgmp } from '../../../control/protocol/igmp/encode';
import { IGMP_DROP_REASONS, type IgmpMessage, type ReceivedIgmp } from '../../../control/protocol/igmp/message';
import { ipPacket } from './ip-packet';
import { parseMeaning, readVectors, type Vector } from './vector-file';

const cases = (fileName: string) => readVectors(fileName).map((vector): [string, Vector] => [vector.description, vector]);

/** Where a host or router sends this message (RFC 3376 §4.1.12, §4.2.14, RFC 2236 §3). */
function usualDestination(message: IgmpMessage): number {
  if (message.kind === 'report-v3') return 0xe0000016;
  if (message.kind === 'leave') return 0xe0000002;
  return message.group === 0 ? 0xe0000001 : message.group;
}

describe('payloads (igmp.txt)', () => {
  test.each(cases('igmp.txt'))('%s: decodes', (_description, vector) => {
    const message = parseMeaning(vector.expected) as IgmpMessage;
    const packet = ipPacket(vector.bytes, { destination: usualDestination(message) });
    expect(decodeIgmpPacket(packet)).toEqual({ ok: true, value: expect.objectContaining({ message, skipped: [] }) });
  });

  test.each(cases('igmp.txt').filter(([, vector]) => !vector.receiveOnly))('%s: encodes', (_description, vector) => {
    expect(encodeIgmp(parseMeaning(vector.expected) as IgmpMessage)).toEqual(vector.bytes);
  });

  test.each(cases('igmp.txt').filter(([, vector]) => vector.receiveOnly))('%s: is ours to read only', (_description, vector) => {
    expect(encodeIgmp(parseMeaning(vector.expected) as IgmpMessage)).not.toEqual(vector.bytes);
  });
});

describe('packets of a Linux host (igmp-linux-host.txt)', () => {
  test.each(cases('igmp-linux-host.txt'))('%s: decodes', (_description, vector) => {
    const received = parseMeaning(vector.expected) as ReceivedIgmp;
    expect(decodeIgmpPacket(vector.bytes)).toEqual({ ok: true, value: { ...received, skipped: [] } });
  });

  test.each(cases('igmp-linux-host.txt').filter(([, vector]) => !vector.receiveOnly))(
    '%s: is built alike',
    (_description, vector) => {
      const { source, destination, message } = parseMeaning(vector.expected) as ReceivedIgmp;
      expect(buildIgmpPacket({ source, destination, message })).toEqual(vector.bytes);
    },
  );
});

describe('hostile packets (igmp-hostile.txt)', () => {
  function verdictOf(packet: Uint8Array): string {
    const decoded = decodeIgmpPacket(packet);
    if (!decoded.ok) return `drop ${decoded.error}`;
    return decoded.value.skipped.length === 0 ? 'accept' : `skip ${decoded.value.skipped.join(' ')}`;
  }

  test.each(cases('igmp-hostile.txt'))('%s', (_description, vector) => {
    expect(verdictOf(vector.bytes)).toBe(vector.expected);
  });

  test('what is good beside a skipped record survives', () => {
    for (const vector of readVectors('igmp-hostile.txt')) {
      const decoded = decodeIgmpPacket(vector.bytes);
      if (!decoded.ok || decoded.value.skipped.length === 0 || decoded.value.message.kind !== 'report-v3') continue;
      expect(decoded.value.message.records.at(-1)).toEqual({ type: 4, group: 0xef010102, sources: [] });
    }
  });

  test('every reason the codec can give has a packet', () => {
    // The list puts what the codec finds first; the router side's reasons start here.
    const codecReasons = IGMP_DROP_REASONS.slice(0, IGMP_DROP_REASONS.indexOf('off_subnet_source'));
    const seen = new Set(readVectors('igmp-hostile.txt').flatMap((vector) => vector.expected.split(' ').slice(1)));
    expect([...seen].sort()).toEqual([...codecReasons].sort());
  });
});
