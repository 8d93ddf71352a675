/** The queries of one router in a capture, as tshark reads them. */
import { packetFields, wrongPackets } from '../lab/tshark';

export interface Query {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly destination: string;
  /** "0.0.0.0": a general query. */
  readonly group: string;
  readonly sources: readonly string[];
  /** The S flag: routers that hear it are not to lower their timers. */
  readonly suppressed: boolean;
  readonly maxResponseMs: number;
  readonly robustness: number;
  readonly intervalS: number;
}

const FIELDS = [
  'frame.time_epoch',
  'ip.dst',
  'igmp.maddr',
  'igmp.saddr',
  'igmp.s',
  'igmp.max_resp',
  'igmp.qrv',
  'igmp.qqic',
  'ip.ttl',
  'ip.opt.ra',
] as const;

/** IGMPv3 queries sent from this address. Fails when tshark finds anything wrong with any packet from it. */
export async function queriesFrom(address: string, captureFile: string): Promise<readonly Query[]> {
  expect(await wrongPackets(captureFile, `ip.src == ${address}`)).toEqual([]);
  const packets = await packetFields(captureFile, `ip.src == ${address} && igmp.type == 0x11 && igmp.version == 3`, FIELDS);
  return packets.map((packet) => {
    // RFC 3376 4: sent with TTL 1 and the Router Alert option.
    expect(packet).toMatchObject({ 'ip.ttl': '1', 'ip.opt.ra': '0' });
    return {
      time: Number(packet['frame.time_epoch']),
      destination: packet['ip.dst'],
      group: packet['igmp.maddr'],
      sources: packet['igmp.saddr'] === '' ? [] : packet['igmp.saddr'].split(','),
      suppressed: packet['igmp.s'] === '1' || packet['igmp.s'] === 'True',
      maxResponseMs: Number(packet['igmp.max_resp']) * 100,
      robustness: Number(packet['igmp.qrv']),
      intervalS: Number(packet['igmp.qqic']),
    };
  });
}
