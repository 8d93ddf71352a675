/**
 * IGMP between frames and machines: a punted frame becomes an event of its port's machine, an effect becomes a frame on the wire.
 */
import type { Dataplane, Punt } from '../dataplane/api';
import { decodeIgmpPacket } from '../protocol/igmp/decode';
import { buildIgmpFrame } from '../protocol/igmp/encode';
import type { ReceivedIgmp } from '../protocol/igmp/message';
import { readEthernetHeader } from '../protocol/packet/ethernet';
import type { Log } from '../log';
import type { Port, PortEffect } from './port';

/** undefined: it cannot be read, and has been counted. */
export function readIgmp(port: Port, punt: Punt): ReceivedIgmp | undefined {
  const ethernet = readEthernetHeader(punt.frame);
  if (ethernet === undefined) {
    port.dropped.add('truncated');
    return undefined;
  }
  const decoded = decodeIgmpPacket(punt.frame.subarray(ethernet.headerLength));
  if (!decoded.ok) {
    port.dropped.add(decoded.error);
    return undefined;
  }
  port.received.add(decoded.value.message.kind);
  for (const reason of decoded.value.skipped) port.dropped.add(reason);
  return decoded.value;
}

export function sendIgmp(port: Port, effect: Extract<PortEffect, { kind: 'send' }>, dataplane: Dataplane, log: Log): void {
  const sourceMac = port.macAddress;
  if (sourceMac === undefined) return;
  const { source, destination, message } = effect;
  const refused = dataplane.transmit(port.vport, buildIgmpFrame({ sourceMac, source, destination, message }));
  if (refused === undefined) port.sent.add(message.kind);
  else log.debug({ interface: port.name, message: message.kind, errno: refused }, `send IGMP ${message.kind} on ${port.name}: ${refused}`);
}
