/**
 * IGMP between frames and machines: a punted frame becomes an event of its port's machine, an effect becomes a frame on the wire.
 */
import type { Dataplane, Punt } from '../dataplane/api';
import { decodeIgmpPacket } from '../protocol/igmp/decode';
import { buildIgmpFrame } from '../protocol/igmp/encode';
import type { IgmpEffect } from '../protocol/igmp/router/api';
import { readEthernetHeader } from '../protocol/packet/ethernet';
import type { Log } from '../log';
import type { Port } from './port';

export function receiveIgmp(port: Port, punt: Punt): void {
  const ethernet = readEthernetHeader(punt.frame);
  if (ethernet === undefined) {
    port.dropped.add('truncated');
    return;
  }
  const decoded = decodeIgmpPacket(punt.frame.subarray(ethernet.headerLength));
  if (!decoded.ok) {
    port.dropped.add(decoded.error);
    return;
  }
  port.received.add(decoded.value.message.kind);
  for (const reason of decoded.value.skipped) port.dropped.add(reason);
  if (port.igmp === undefined) port.dropped.add(port.settings.upstream ? 'not_router_interface' : 'interface_down');
  else port.input({ kind: 'received', packet: decoded.value });
}

export function sendIgmp(port: Port, effect: Extract<IgmpEffect, { kind: 'send' }>, dataplane: Dataplane, log: Log): void {
  const sourceMac = port.macAddress;
  if (sourceMac === undefined) return;
  const { source, destination, message } = effect;
  const refused = dataplane.transmit(port.vport, buildIgmpFrame({ sourceMac, source, destination, message }));
  if (refused === undefined) port.sent.add(message.kind);
  else log.debug({ interface: port.name, message: message.kind, errno: refused }, `send IGMP ${message.kind} on ${port.name}: ${refused}`);
}
