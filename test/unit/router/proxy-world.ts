/** A router as an IGMP proxy over fakes, with a clock of its own: what tests of it share. */
import type { xmcast } from '#proto';
import { toSettings } from '../../../control/config/defaults';
import type { Punt } from '../../../control/dataplane/api';
import type { HostGroup } from '../../../control/kernel/host-groups';
import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { buildIgmpFrame } from '../../../control/protocol/igmp/encode';
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import type { JoinOnHost } from '../../../control/router/own-memberships';
import { Router } from '../../../control/router/router';
import { RouterState } from '../../../control/router/state';
import { frame } from '../../bpf/packet';
import { addressOf, FakeDataplane, FakeKernel, ip, listed, quiet } from './fakes';

export type Config = xmcast.v1.Config.$Properties;

export const G = ip('239.1.1.1');
const RECORD_NAMES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];

export function configOf(names: readonly string[], changes: Config = {}): Config {
  return { interfaces: names.map((name) => ({ name, upstream: name.startsWith('up') })), ...changes };
}

interface OwnKernel {
  readonly joinOnHost?: JoinOnHost;
  readonly readHostGroups?: () => Promise<readonly HostGroup[]>;
}

export async function world(config: Config, { joinOnHost = () => Promise.reject(new Error('not in this test')), readHostGroups = () => Promise.resolve([]) }: OwnKernel = {}) {
  jest.useFakeTimers();
  const dataplane = new FakeDataplane();
  const kernel = new FakeKernel();
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, nowWallMs: () => 1_700_000_000_000 + nowMs };
  const names = (config.interfaces ?? []).map(({ name }) => name ?? '');
  names.forEach((name, i) => kernel.set(name, { ifindex: 10 + i, address: addressOf(name, i, 1) }));
  const settings = toSettings(config);
  const router = new Router({ settings, dataplane, kernel, clock, log: quiet, random: () => 0.5, joinOnHost, readHostGroups });
  const state = new RouterState({ router, dataplane, clock, version: '1' });
  await router.start();
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      nowMs += 10;
      await jest.advanceTimersByTimeAsync(10);
    }
  };
  const vport = (name: string): number => router.ports.find((port) => port.name === name)?.vport ?? -1;
  const punt = (name: string, message: IgmpMessage, source = addressOf(name, names.indexOf(name), 9)): void => {
    const destination = message.kind === 'report-v3' ? ip('224.0.0.22') : message.kind === 'leave' ? ip('224.0.0.2') : message.kind === 'query' ? ip('224.0.0.1') : message.group;
    const bytes = buildIgmpFrame({ sourceMac: new Uint8Array(6), source: ip(source), destination, message });
    router.punted([{ class: message.kind === 'query' ? 'igmp_query' : 'igmp_report', vport: vport(name), frame: bytes, frameBytes: bytes.length }]);
  };
  const data = (name: string, source: string, puntClass: Punt['class'] = 'no_route'): void => {
    const bytes = frame({ source });
    router.punted([{ class: puntClass, vport: vport(name), frame: bytes, frameBytes: bytes.length }]);
  };
  /** Reports sent by this interface since the last call, as words. */
  const reports = (name: string): string[] => {
    const own = dataplane.sent.filter((sent) => sent.vport === vport(name)).map((sent) => textOf(sent.frame));
    dataplane.sent.length = 0;
    return own;
  };
  const routes = (): string[] =>
    listed(state.routeTable).map((route) => `${route.source === 0 ? '*' : formatIpv4(route.source)} ${route.incomingInterface || '?'} → ${route.outgoingInterfaces.join(' ')}`).sort();
  return { dataplane, kernel, router, state, run, punt, data, reports, routes, vport };
}

export function textOf(bytes: Uint8Array): string {
  const decoded = decodeIgmpPacket(bytes.subarray(14));
  if (!decoded.ok) return decoded.error;
  const { message } = decoded.value;
  if (message.kind !== 'report-v3') return `${message.kind} ${formatIpv4(message.group)}`;
  return message.records.map(({ type, group, sources }) => `${RECORD_NAMES[type]} ${formatIpv4(group)}{${sources.map(formatIpv4).join(' ')}}`).join(', ');
}

export const join = (group = G): IgmpMessage => ({ kind: 'report-v2', group });
