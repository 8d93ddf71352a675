/**
 * The router side of IGMP on one interface: takes events, hands them to the querier and the groups, returns effects.
 * Owns the order in which things happen within one input and nothing else: no protocol rule is decided here.
 *
 * It counts what it refuses itself. `skipped` of a packet is the codec's finding; whoever decoded the packet counts that.
 */
import { formatIpv4, type Ipv4 } from '../../packet/address';
import { RecordType, type IgmpDropReason, type IgmpMessage, type IgmpQuery, type ReceivedIgmp } from '../message';
import { ALL_SYSTEMS } from '../wire';
import { refuseGroup, refusePacket, type LinkAddresses } from './admission';
import type {
  IgmpEffect,
  IgmpEvent,
  IgmpInterfaceSettings,
  IgmpRouterInterface,
  MembershipSnapshot,
  QuerierSnapshot,
} from './api';
import { GroupTable, type AdmittedRecord } from './group-table';
import { Querier, type RoleChange } from './querier';
import { generalQuery } from './query-messages';
import { LogLimiter, type Turn } from './turn';

export function createIgmpRouterInterface(settings: IgmpInterfaceSettings): IgmpRouterInterface {
  return new RouterInterface(settings);
}

class RouterInterface implements IgmpRouterInterface {
  readonly #settings: IgmpInterfaceSettings;
  readonly #querier: Querier;
  readonly #groups: GroupTable;
  readonly #logLimiter = new LogLimiter();
  /** Time never goes back, whatever the caller passes: timers compare against it. */
  #nowMs = 0;

  constructor(settings: IgmpInterfaceSettings) {
    this.#settings = settings;
    this.#querier = new Querier(settings);
    this.#groups = new GroupTable(settings);
  }

  input(event: IgmpEvent, nowMs: number): readonly IgmpEffect[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const effects: IgmpEffect[] = [];
    // What was due before the event happens before it, so that a late timer never changes what a report means.
    this.#advance(effects);
    this.#handle(event, effects);
    return effects;
  }

  nextDeadline(): number | undefined {
    const querier = this.#querier.nextDeadline();
    const groups = this.#groups.nextDeadline();
    return querier === undefined ? groups : Math.min(querier, groups ?? querier);
  }

  memberships(nowMs: number): readonly MembershipSnapshot[] {
    return this.#groups.snapshots(Math.max(this.#nowMs, nowMs));
  }

  get membershipCount(): number {
    return this.#groups.count;
  }

  querier(nowMs: number): QuerierSnapshot {
    return this.#querier.snapshot(Math.max(this.#nowMs, nowMs));
  }

  #handle(event: IgmpEvent, effects: IgmpEffect[]): void {
    switch (event.kind) {
      case 'timer':
        return;
      case 'received':
        return this.#receive(event.packet, effects);
      case 'link-up':
        return this.#linkUp(event.addresses, effects);
      case 'link-down':
        this.#groups.clear(this.#turn(effects));
        this.#querier.linkDown();
        return;
      default:
        return assertNever(event);
    }
  }

  #advance(effects: IgmpEffect[]): void {
    this.#logRoleChange(this.#querier.expire(this.#nowMs), undefined, effects);
    this.#groups.advance(this.#turn(effects));
    this.#sendGeneralQueryIfDue(effects);
  }

  #linkUp(addresses: LinkAddresses, effects: IgmpEffect[]): void {
    this.#querier.linkUp(addresses, this.#nowMs);
    this.#sendGeneralQueryIfDue(effects);
  }

  #receive(packet: ReceivedIgmp, effects: IgmpEffect[]): void {
    const reason = this.#querier.isUp ? refusePacket(packet, this.#querier.addresses, this.#settings) : 'interface_down';
    if (reason !== undefined) return count(effects, reason);
    const { message } = packet;
    if (message.kind === 'query') return this.#receiveQuery(packet.source, message, effects);
    const turn = this.#turn(effects);
    for (const record of recordsOf(message, packet.source)) this.#receiveRecord(record, turn);
    this.#groups.settle(turn);
  }

  #receiveRecord(record: AdmittedRecord, turn: Turn): void {
    const reason = refuseGroup(record.group, isAnySource(record), this.#settings.ssmRange);
    if (reason === undefined) this.#groups.apply(record, turn);
    else turn.emit({ kind: 'count', reason });
  }

  #receiveQuery(source: Ipv4, query: IgmpQuery, effects: IgmpEffect[]): void {
    this.#checkVersion(source, query, effects);
    if (query.group === 0) {
      this.#logRoleChange(this.#querier.heardGeneralQuery(source, query, this.#nowMs), query, effects);
      return;
    }
    const turn = this.#turn(effects);
    this.#groups.heardSpecificQuery(query, turn);
    this.#groups.settle(turn);
  }

  /**
   * RFC 3376 §7.3.1: all routers of a link must be configured for the same version; warn of a general query that shows otherwise.
   * It still counts for the election: two queriers would be worse. A v2 Q(G) may come from a router that has yet to hear of us.
   */
  #checkVersion(source: Ipv4, query: IgmpQuery, effects: IgmpEffect[]): void {
    const { version } = this.#settings;
    if (query.version === version || (query.group !== 0 && query.version < version)) return;
    count(effects, 'wrong_query_version');
    const text = `${formatIpv4(source)} sends IGMPv${query.version} queries, this interface is configured for IGMPv${version}`;
    this.#turn(effects).logSparingly('querier-version', 'warn', text);
  }

  #sendGeneralQueryIfDue(effects: IgmpEffect[]): void {
    const source = this.#querier.sendingAddress;
    if (source === undefined || !this.#querier.takeDueQuery(this.#nowMs)) return;
    effects.push({ kind: 'send', source, destination: ALL_SYSTEMS, message: generalQuery(this.#settings) });
  }

  #logRoleChange(change: RoleChange, query: IgmpQuery | undefined, effects: IgmpEffect[]): void {
    if (change === undefined) return;
    const { logSparingly } = this.#turn(effects);
    const address = formatIpv4(this.#querier.snapshot(this.#nowMs).address);
    if (change === 'became-querier')
      return logSparingly('querier-won', 'info', `the other querier is silent, ${address} is querier again`);
    logSparingly('querier-lost', 'info', `${address} is querier, speaking IGMPv${query?.version ?? this.#settings.version}`);
  }

  #turn(effects: IgmpEffect[]): Turn {
    const nowMs = this.#nowMs;
    return {
      nowMs,
      intervals: this.#querier.intervals,
      isQuerier: this.#querier.isQuerier,
      sendingAddress: this.#querier.sendingAddress,
      emit: (effect) => effects.push(effect),
      logSparingly: (topic, level, text) => {
        if (this.#logLimiter.take(topic, nowMs)) effects.push({ kind: 'log', level, text });
      },
    };
  }
}

/** Every report as records (RFC 3376 §7.3.2: v1 and v2 reports mean IS_EX({}), a leave means TO_IN({})). */
function recordsOf(message: Exclude<IgmpMessage, IgmpQuery>, reporter: Ipv4): AdmittedRecord[] {
  switch (message.kind) {
    case 'report-v3':
      return message.records.map((record) => ({ ...record, reporter }));
    case 'report-v2':
      return [{ group: message.group, type: RecordType.MODE_IS_EXCLUDE, sources: [], reporter, olderHost: 2 }];
    case 'report-v1':
      return [{ group: message.group, type: RecordType.MODE_IS_EXCLUDE, sources: [], reporter, olderHost: 1 }];
    case 'leave':
      return [{ group: message.group, type: RecordType.CHANGE_TO_INCLUDE_MODE, sources: [], reporter, isLeave: true }];
    default:
      return assertNever(message);
  }
}

/** What RFC 4604 §3 keeps out of the source-specific range. */
function isAnySource({ type, isLeave }: AdmittedRecord): boolean {
  return isLeave === true || type === RecordType.MODE_IS_EXCLUDE || type === RecordType.CHANGE_TO_EXCLUDE_MODE;
}

function count(effects: IgmpEffect[], reason: IgmpDropReason): void {
  effects.push({ kind: 'count', reason });
}

function assertNever(value: never): never {
  throw new Error(`unhandled case ${JSON.stringify(value)}`);
}
