/**
 * What a running daemon shows of itself, in the JSON of xmcastctl, asked through its API: tests poll it, and a process for each look
 * would be slow. Read only.
 */
import type { Daemon } from '../lab/daemon';
import { messageToJson } from '../../control/cli/proto-json';

export interface InterfaceJson {
  readonly name: string;
  readonly ifindex: number;
  /** STATUS_ABSENT, STATUS_DOWN, STATUS_FORWARDING … */
  readonly status: string;
  readonly problem: string;
  readonly mode: string;
  readonly modeReason: string;
  readonly macAddress: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly rxPackets: string;
  readonly resentPackets: string;
  readonly originatedPackets: string;
  readonly acceptedPackets: string;
  readonly txPackets: string;
  readonly drops: Readonly<Record<string, string>>;
  readonly punts: Readonly<Record<string, string>>;
  readonly puntDrops: Readonly<Record<string, string>>;
  readonly igmpHost?: { readonly groups: number };
  readonly querier?: { readonly self: boolean; readonly address: string };
  readonly igmpReceived: Readonly<Record<string, string>>;
  readonly igmpSent: Readonly<Record<string, string>>;
  readonly igmpDropped: Readonly<Record<string, string>>;
}

export interface MembershipJson {
  readonly interface: string;
  readonly group: string;
  readonly filterMode: string;
  readonly compatibilityVersion: number;
  readonly lastReporter: string;
}

export interface FlowJson {
  readonly source: string;
  readonly group: string;
  readonly incomingInterface: string;
  readonly outgoingInterfaces: readonly string[];
  readonly packets: string;
  readonly bytes: string;
  readonly replicatedPackets: string;
  readonly failedPackets: string;
  readonly droppedPackets: string;
  readonly skippedPackets: string;
}

/** Fails when the daemon was not given an interface of this name. */
export async function shownInterface(daemon: Daemon, name: string): Promise<InterfaceJson> {
  const [found] = await daemon.client.listInterfaces({ name });
  if (found === undefined) throw new Error(`no interface ${name} is configured`);
  return messageToJson('xmcast.v1.Interface', found) as unknown as InterfaceJson;
}

/** With packet counters read for this answer: fresh flows bring those of the interfaces along. */
export async function freshInterface(daemon: Daemon, name: string): Promise<InterfaceJson> {
  await daemon.client.listFlows({ fresh: true });
  return shownInterface(daemon, name);
}

export async function shownMemberships(daemon: Daemon, name = ''): Promise<readonly MembershipJson[]> {
  const found = await daemon.client.listMemberships({ interface: name });
  return found.map((entry) => messageToJson('xmcast.v1.Membership', entry) as unknown as MembershipJson);
}

/** Counters read for this answer. undefined: there is no such flow. */
export async function shownFlow(daemon: Daemon, group: string, source: string): Promise<FlowJson | undefined> {
  const [found] = await daemon.client.listFlows({ group, source, fresh: true });
  return found === undefined ? undefined : (messageToJson('xmcast.v1.Flow', found) as unknown as FlowJson);
}

/** A counter that has not counted yet is not shown. */
export function countOf(counters: Readonly<Record<string, string>>, label: string): number {
  return Number(counters[label] ?? 0);
}
