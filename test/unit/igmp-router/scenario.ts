/**
 * A script against one router interface on a virtual clock: `at(ms)` lets every timer up to then fire at its own time, `receive` hands
 * in a message, `expect…` looks at what came out since the last look.
 */
import type {
  GroupDemand,
  IgmpEffect,
  IgmpEvent,
  IgmpInterfaceSettings,
  IgmpLimits,
} from '../../../control/protocol/igmp/router/api';
import { createIgmpRouterInterface } from '../../../control/protocol/igmp/router/interface';
import {
  RecordType,
  type GroupRecord,
  type IgmpDropReason,
  type IgmpMessage,
  type IgmpQuery,
} from '../../../control/protocol/igmp/message';
import { formatIpv4, parseIpv4, type Ipv4, type Ipv4Prefix } from '../../../control/protocol/packet/address';

export function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

export const OWN = ip('10.1.0.10');
export const LOWER_ROUTER = ip('10.1.0.2');
export const HIGHER_ROUTER = ip('10.1.0.200');
export const HOST = ip('10.1.0.50');
export const OTHER_HOST = ip('10.1.0.51');
export const GROUP = ip('239.1.1.1');
export const SSM_GROUP = ip('232.1.1.1');
export const ADDRESSES: readonly Ipv4Prefix[] = [{ address: OWN, length: 24 }];

export const GMI = 260_000;
export const OQPI = 255_000;
export const LMQT = 2_000;
export const QUERY_INTERVAL = 125_000;
export const STARTUP_QUERY_INTERVAL = 31_250;

export const LIMITS: IgmpLimits = {
  groups: 100,
  sourcesPerGroup: 100,
  groupsPerHost: Infinity,
  trackedHosts: 1_000,
  exceptions: [],
  total: { limit: Infinity, used: 0 },
};

export const DEFAULTS: IgmpInterfaceSettings = {
  version: 3,
  timing: {
    robustness: 2,
    queryIntervalMs: QUERY_INTERVAL,
    queryResponseIntervalMs: 10_000,
    lastMemberQueryIntervalMs: 1_000,
    lastMemberQueryCount: 2,
    startupQueryIntervalMs: STARTUP_QUERY_INTERVAL,
    startupQueryCount: 2,
  },
  limits: LIMITS,
  acceptOffSubnet: false,
  alternativeSubnets: [],
  queriers: [],
  ignoreV1: false,
  ignoreV2: false,
  quickLeave: 'off',
  access: [],
  staticGroups: [],
  ssmMapping: undefined,
  requireRouterAlert: false,
  mtu: 1500,
  ssmRange: { address: ip('232.0.0.0'), length: 8 },
};

/** Sources have names of a letter and maybe a digit: 'a' is 10.9.10.0, 'y2' is 10.9.34.2. */
export function source(name: string): Ipv4 {
  return ip(`10.9.${parseInt(name.charAt(0), 36)}.${name.slice(1) || '0'}`);
}

export function nameOf(address: Ipv4): string {
  const digit = address & 255;
  return ((address >>> 8) & 255).toString(36) + (digit === 0 ? '' : String(digit));
}

const RECORD_NAMES = {
  IS_IN: RecordType.MODE_IS_INCLUDE,
  IS_EX: RecordType.MODE_IS_EXCLUDE,
  TO_IN: RecordType.CHANGE_TO_INCLUDE_MODE,
  TO_EX: RecordType.CHANGE_TO_EXCLUDE_MODE,
  ALLOW: RecordType.ALLOW_NEW_SOURCES,
  BLOCK: RecordType.BLOCK_OLD_SOURCES,
} as const;

function sourcesOf(list: string): Ipv4[] {
  return list.split(' ').filter(Boolean).map(source);
}

/** 'TO_EX(a b)'. */
export function record(text: string, group = GROUP): GroupRecord {
  const [, name = '', list = ''] = /^(\w+)\((.*)\)$/.exec(text) ?? [];
  const type = RECORD_NAMES[name as keyof typeof RECORD_NAMES];
  if (type === undefined) throw new Error(`no such record: ${text}`);
  return { type, group, sources: sourcesOf(list) };
}

export function report(text: string, group = GROUP): IgmpMessage {
  return { kind: 'report-v3', records: [record(text, group)] };
}

export function v1Report(group = GROUP): IgmpMessage {
  return { kind: 'report-v1', group };
}

export function v2Report(group = GROUP): IgmpMessage {
  return { kind: 'report-v2', group };
}

export function leave(group = GROUP): IgmpMessage {
  return { kind: 'leave', group };
}

export function query(fields: Partial<IgmpQuery> = {}): IgmpQuery {
  return {
    kind: 'query',
    version: 3,
    group: 0,
    maxResponseTimeMs: fields.group === undefined ? 10_000 : 1_000,
    suppressRouterProcessing: false,
    querierRobustness: 2,
    querierQueryIntervalMs: QUERY_INTERVAL,
    sources: [],
    ...fields,
  };
}

/** 'Q()' general, 'Q(G)', 'Q(G,a b)', with 'S' behind it when the S flag is set. */
export function describeQuery(message: IgmpMessage): string {
  if (message.kind !== 'query') return message.kind;
  const flag = message.suppressRouterProcessing ? 'S' : '';
  if (message.group === 0) return `Q()${flag}`;
  const group = message.group === GROUP ? 'G' : formatIpv4(message.group);
  return message.sources.length === 0 ? `Q(${group})${flag}` : `Q(${group},${names(message.sources)})${flag}`;
}

/** 'INCLUDE(a b)' or 'EXCLUDE(x; y)'; 'nothing' when nobody listens. */
export function describeDemand(demand: GroupDemand | undefined): string {
  if (demand === undefined) return 'nothing';
  if (demand.mode === 'include') return `INCLUDE(${names(demand.sources)})`;
  return `EXCLUDE(${names(demand.requested)}; ${names(demand.sources)})`;
}

function names(sources: readonly Ipv4[]): string {
  return sources.map(nameOf).sort().join(' ');
}

export class Scenario {
  readonly machine;
  /** The last published demand of each group. */
  readonly wanted = new Map<Ipv4, GroupDemand>();
  nowMs = 0;
  #sent: { readonly atMs: number; readonly source: Ipv4; readonly destination: Ipv4; readonly message: IgmpMessage }[] = [];
  #published: string[] = [];
  #counted: IgmpDropReason[] = [];
  #logged: string[] = [];
  #roles: boolean[] = [];

  constructor(settings: Partial<IgmpInterfaceSettings> = {}) {
    this.machine = createIgmpRouterInterface({ ...DEFAULTS, ...settings });
  }

  /** A link that came up at 0, its startup queries sent and the clock still at 0. */
  static up(settings: Partial<IgmpInterfaceSettings> = {}): Scenario {
    const scenario = new Scenario(settings).linkUp();
    scenario.takeSent();
    return scenario;
  }

  /** As up(), but a lower router was heard at 0. */
  static nonQuerier(settings: Partial<IgmpInterfaceSettings> = {}): Scenario {
    const scenario = Scenario.up(settings).receive(query(), LOWER_ROUTER);
    scenario.takeLogged();
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

  receive(message: IgmpMessage, from = HOST, routerAlert = true): this {
    return this.receiveAt(ip('224.0.0.22'), message, { from, routerAlert });
  }

  receiveAt(destination: Ipv4, message: IgmpMessage, { from = HOST, routerAlert = true } = {}): this {
    return this.input({ kind: 'received', packet: { source: from, destination, routerAlert, message, skipped: [] } });
  }

  linkUp(addresses = ADDRESSES): this {
    return this.input({ kind: 'link-up', addresses });
  }

  linkDown(): this {
    return this.input({ kind: 'link-down' });
  }

  /** The defaults with these instead, from now on. */
  configure(settings: Partial<IgmpInterfaceSettings>): this {
    return this.input({ kind: 'settings', settings: { ...DEFAULTS, ...settings } });
  }

  input(event: IgmpEvent): this {
    for (const effect of this.machine.input(event, this.nowMs)) this.#note(effect);
    return this;
  }

  /** Everything sent since the last look, general queries included. */
  takeSent() {
    return this.#sent.splice(0);
  }

  takeLogged(): string[] {
    return this.#logged.splice(0);
  }

  /** Group queries since the last look, each as 'Q(G) @1000' with its time. General queries pass unseen. */
  expectSent(...expected: string[]): this {
    const specific = this.takeSent().filter(({ message }) => message.kind === 'query' && message.group !== 0);
    expect(specific.map(({ message, atMs }) => `${describeQuery(message)} @${atMs}`)).toEqual(expected);
    return this;
  }

  /** Times of the general queries since the last look. */
  expectGeneralQueries(...times: number[]): this {
    const general = this.takeSent().filter(({ message }) => message.kind === 'query' && message.group === 0);
    expect(general.map(({ atMs }) => atMs)).toEqual(times);
    return this;
  }

  /** Demands published since the last look, in order. */
  expectPublished(...expected: string[]): this {
    expect(this.#published.splice(0)).toEqual(expected);
    return this;
  }

  expectCounted(...expected: IgmpDropReason[]): this {
    expect(this.#counted.splice(0)).toEqual(expected);
    return this;
  }

  /** 'querier' effects since the last look. */
  expectRoles(...expected: boolean[]): this {
    expect(this.#roles.splice(0)).toEqual(expected);
    return this;
  }

  expectLogged(...expected: (string | RegExp)[]): this {
    const logged = this.takeLogged();
    expect(logged).toHaveLength(expected.length);
    expected.forEach((pattern, index) => expect(logged[index]).toMatch(pattern));
    return this;
  }

  expectState(expected: string, group = GROUP): this {
    expect(this.state(group)).toBe(expected);
    return this;
  }

  /** The state as the RFC writes it, from the snapshot. */
  state(group = GROUP): string {
    const membership = this.membership(group);
    if (membership === undefined) return 'nothing';
    const running = membership.sources.filter(({ forwarded }) => forwarded).map((entry) => entry.source);
    const blocked = membership.sources.filter(({ forwarded }) => !forwarded).map((entry) => entry.source);
    if (membership.mode === 'exclude') return `EXCLUDE(${names(running)}; ${names(blocked)})`;
    return blocked.length > 0 ? `blocked sources in INCLUDE: ${names(blocked)}` : `INCLUDE(${names(running)})`;
  }

  membership(group = GROUP) {
    return this.machine.memberships(this.nowMs).find((membership) => membership.group === group);
  }

  /** ms left, by source name; 'group' is the group timer. */
  timers(group = GROUP): Record<string, number> {
    const membership = this.membership(group);
    const left: Record<string, number> = {};
    if (membership?.groupTimerMs !== undefined) left['group'] = membership.groupTimerMs;
    for (const entry of membership?.sources ?? []) left[nameOf(entry.source)] = entry.timerMs;
    return left;
  }

  #note(effect: IgmpEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#sent.push({ atMs: this.nowMs, ...effect });
        return;
      case 'membership':
        this.#published.push(describeDemand(effect.wanted));
        if (effect.wanted === undefined) this.wanted.delete(effect.group);
        else this.wanted.set(effect.group, effect.wanted);
        return;
      case 'count':
        this.#counted.push(effect.reason);
        return;
      case 'querier':
        this.#roles.push(effect.isQuerier);
        return;
      case 'log':
        this.#logged.push(`${effect.level}: ${effect.text}`);
    }
  }
}
