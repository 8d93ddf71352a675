/**
 * A script against one host interface on a virtual clock: `at(ms)` lets every timer up to then fire at its own time, `want` and
 * `receive` hand in events, `expect…` looks at what came out since the last look. Chance is 0.5 unless a test says otherwise.
 */
import type { HostFilter, IgmpHostEffect, IgmpHostEvent, IgmpHostSettings } from '../../../control/protocol/igmp/host/api';
import { createIgmpHostInterface } from '../../../control/protocol/igmp/host/interface';
import type { GroupRecord, IgmpDropReason, IgmpMessage, IgmpQuery } from '../../../control/protocol/igmp/message';
import { formatIpv4, type Ipv4, type Ipv4Prefix } from '../../../control/protocol/packet/address';
import { GROUP, SSM_GROUP, ip, nameOf, query, source } from '../igmp-router/scenario';

export { GROUP, SSM_GROUP, ip, query, source };

export const OWN = ip('10.7.0.20');
export const QUERIER = ip('10.7.0.1');
export const NEIGHBOUR = ip('10.7.0.99');
export const OTHER_GROUP = ip('239.1.1.2');
export const ALL_SYSTEMS = ip('224.0.0.1');
export const ADDRESSES: readonly Ipv4Prefix[] = [{ address: OWN, length: 24 }];
export const OLDER_QUERIER_TIMEOUT = 260_000;
/** Of a version 3 host with chance 0.5: half of (0, 1000). */
export const REPEAT = 500;

export const DEFAULTS: IgmpHostSettings = {
  version: 3,
  robustness: 2,
  unsolicitedReportIntervalMs: undefined,
  olderVersionQuerierTimeoutMs: OLDER_QUERIER_TIMEOUT,
  mtu: 1500,
  recordedSourcesLimit: 64,
  random: () => 0.5,
};

export interface Sent {
  readonly atMs: number;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly message: IgmpMessage;
}

/** 'INCLUDE(a b)', 'EXCLUDE()' or 'nothing'. */
export function filter(text: string): HostFilter | undefined {
  if (text === 'nothing') return undefined;
  const [, mode = '', list = ''] = /^(INCLUDE|EXCLUDE)\((.*)\)$/.exec(text) ?? [];
  if (mode === '') throw new Error(`no such filter: ${text}`);
  return { mode: mode === 'INCLUDE' ? 'include' : 'exclude', sources: list.split(' ').filter(Boolean).map(source) };
}

export function describeFilter(wanted: HostFilter | undefined): string {
  return wanted === undefined ? 'nothing' : `${wanted.mode.toUpperCase()}(${names(wanted.sources)})`;
}

const RECORD_NAMES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];

/** 'TO_EX(a b)'; of another group than GROUP with it behind: 'TO_EX() 239.1.1.2'. */
export function describeRecord({ type, group, sources }: GroupRecord): string {
  return `${RECORD_NAMES[type]}(${names(sources)})${group === GROUP ? '' : ` ${formatIpv4(group)}`}`;
}

/** The records of a report, or 'v2', 'v1', 'leave'. */
export function describeMessage(message: IgmpMessage): string {
  if (message.kind === 'report-v3') return message.records.map(describeRecord).join(', ');
  if (message.kind === 'query') return 'query';
  const name = { 'report-v2': 'v2', 'report-v1': 'v1', leave: 'leave' }[message.kind];
  return message.group === GROUP ? name : `${name} ${formatIpv4(message.group)}`;
}

function names(sources: readonly Ipv4[]): string {
  return sources.map(nameOf).sort().join(' ');
}

export class HostScenario {
  readonly machine;
  nowMs = 0;
  #sent: Sent[] = [];
  #counted: IgmpDropReason[] = [];
  #logged: string[] = [];
  #told: (Ipv4 | undefined)[] = [];

  constructor(settings: Partial<IgmpHostSettings> = {}) {
    this.machine = createIgmpHostInterface({ ...DEFAULTS, ...settings });
  }

  /** A link that came up at 0. */
  static up(settings: Partial<IgmpHostSettings> = {}): HostScenario {
    return new HostScenario(settings).linkUp();
  }

  /** As up(), wanting this of GROUP for so long that nothing is left to repeat. The clock is back at a round time. */
  static wanting(text: string, settings: Partial<IgmpHostSettings> = {}): HostScenario {
    const scenario = HostScenario.up(settings).want(text).at(100_000);
    scenario.takeSent();
    return scenario;
  }

  at(ms: number): this {
    for (let next = this.machine.nextDeadline(); next !== undefined && next <= ms; next = this.machine.nextDeadline()) {
      this.nowMs = Math.max(this.nowMs, next);
      this.input({ kind: 'timer' });
    }
    this.nowMs = ms;
    return this;
  }

  after(ms: number): this {
    return this.at(this.nowMs + ms);
  }

  /** The event loop's turn ends: what is due at once is done. */
  endTurn(): this {
    return this.after(0);
  }

  want(text: string, group = GROUP): this {
    return this.input({ kind: 'wanted', group, filter: filter(text) });
  }

  receive(message: IgmpMessage, { from = QUERIER, to = destinationOf(message), routerAlert = true } = {}): this {
    return this.input({ kind: 'received', packet: { source: from, destination: to, routerAlert, message, skipped: [] } });
  }

  ask(fields: Partial<IgmpQuery> = {}): this {
    return this.receive(query(fields));
  }

  linkUp(addresses = ADDRESSES): this {
    return this.input({ kind: 'link-up', addresses });
  }

  linkDown(): this {
    return this.input({ kind: 'link-down' });
  }

  input(event: IgmpHostEvent): this {
    for (const effect of this.machine.input(event, this.nowMs)) this.#note(effect);
    return this;
  }

  /** Groups of which something else is wanted. */
  takeTold(): (Ipv4 | undefined)[] {
    return this.#told.splice(0);
  }

  takeSent(): Sent[] {
    return this.#sent.splice(0);
  }

  takeLogged(): string[] {
    return this.#logged.splice(0);
  }

  /** Everything sent since the last look, each as 'TO_EX() @0' with its time; records of one packet are joined with commas. */
  expectSent(...expected: string[]): this {
    expect(this.takeSent().map(({ message, atMs }) => `${describeMessage(message)} @${atMs}`)).toEqual(expected);
    return this;
  }

  expectCounted(...expected: IgmpDropReason[]): this {
    expect(this.#counted.splice(0)).toEqual(expected);
    return this;
  }

  expectLogged(...expected: RegExp[]): this {
    const logged = this.takeLogged();
    expect(logged).toHaveLength(expected.length);
    expected.forEach((pattern, index) => expect(logged[index]).toMatch(pattern));
    return this;
  }

  get version(): number {
    return this.machine.snapshot(this.nowMs).version;
  }

  #note(effect: IgmpHostEffect): void {
    if (effect.kind === 'send') this.#sent.push({ atMs: this.nowMs, ...effect });
    else if (effect.kind === 'count') this.#counted.push(effect.reason);
    else if (effect.kind === 'wanted') this.#told.push(effect.group);
    else this.#logged.push(`${effect.level}: ${effect.text}`);
  }
}

function destinationOf(message: IgmpMessage): Ipv4 {
  if (message.kind === 'report-v3') return ip('224.0.0.22');
  if (message.kind === 'leave') return ip('224.0.0.2');
  return message.group === 0 ? ALL_SYSTEMS : message.group;
}
