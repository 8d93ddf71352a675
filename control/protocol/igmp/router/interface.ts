/**
 * The router side of IGMP on one interface: takes events, hands them to the querier and the groups, returns effects.
 * Owns the order in which things happen within one input and nothing else: no protocol rule is decided here.
 *
 * DEVIATION(RFC3376 6): it reports no membership of 224.0.0.22 to other routers and switches, because hosts never report 224.0.0.0/24 and
 * switches send it to every port unasked (RFC 4541 §2.1.2).
 *
 * It counts what it refuses itself. `skipped` of a packet is the codec's finding; whoever decoded the packet counts that.
 */
import { formatIpv4, type Ipv4, type Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpMessage, IgmpQuery, ReceivedIgmp } from '../message';
import { ALL_SYSTEMS } from '../wire';
import { refusePacket, type LinkAddresses } from './admission';
import type {
  IgmpEffect,
  IgmpEvent,
  IgmpInterfaceSettings,
  IgmpRouterInterface,
  MembershipSnapshot,
  QuerierSnapshot,
} from './api';
import { GroupTable } from './group-table';
import { Intake } from './intake';
import { Places } from './places';
import { Querier, type RoleChange } from './querier';
import { generalQuery } from './query-messages';
import { recordOfOlder, recordOfV3 } from './record';
import type { SnapshotContext } from './snapshot';
import { Turn } from './turn';

export function createIgmpRouterInterface(settings: IgmpInterfaceSettings): IgmpRouterInterface {
  return new RouterInterface(settings);
}

class RouterInterface implements IgmpRouterInterface {
  readonly #querier: Querier;
  readonly #groups: GroupTable;
  readonly #intake: Intake;
  readonly #turn: Turn;
  /** What the last 'querier' effect said. RFC 3376 §6.6.2: a router starts as querier. */
  #toldQuerier = true;

  constructor(settings: IgmpInterfaceSettings) {
    this.#querier = new Querier(settings);
    this.#turn = new Turn(settings, this.#querier);
    this.#groups = new GroupTable(new Places(settings.limits));
    this.#intake = new Intake(this.#groups);
  }

  input(event: IgmpEvent, nowMs: number): readonly IgmpEffect[] {
    this.#turn.begin(nowMs);
    // What was due before the event happens before it, so that a late timer never changes what a report means.
    this.#advance();
    this.#handle(event);
    this.#tellRole();
    return this.#turn.end();
  }

  nextDeadline(): number | undefined {
    const querier = this.#querier.nextDeadline();
    const groups = this.#groups.nextDeadline();
    return querier === undefined ? groups : Math.min(querier, groups ?? querier);
  }

  memberships(nowMs: number): readonly MembershipSnapshot[] {
    return this.#groups.snapshots(this.#snapshotContext(nowMs));
  }

  membership(group: Ipv4, nowMs: number): MembershipSnapshot | undefined {
    return this.#groups.snapshot(group, this.#snapshotContext(nowMs));
  }

  groups(): Iterable<Ipv4> {
    return this.#groups.all();
  }

  get membershipCount(): number {
    return this.#groups.count;
  }

  get unclaimedCount(): number {
    return this.#groups.unclaimedCount;
  }

  querier(nowMs: number): QuerierSnapshot {
    return this.#querier.snapshot(Math.max(this.#turn.nowMs, nowMs));
  }

  #snapshotContext(nowMs: number): SnapshotContext {
    const { settings, nowMs: lastMs } = this.#turn;
    const now = Math.max(lastMs, nowMs);
    return { nowMs: now, settings, hostsHaveAnswered: now >= this.#querier.firstAnswersUntilMs };
  }

  #handle(event: IgmpEvent): void {
    switch (event.kind) {
      case 'timer':
        return;
      case 'received':
        return this.#receive(event.packet);
      case 'link-up':
        return this.#linkUp(event.addresses);
      case 'link-down':
        return this.#linkDown();
      case 'settings':
        return this.#configure(event.settings);
      case 'restored':
        if (this.#querier.isUp) this.#groups.restore(event, this.#turn);
        return this.#groups.settle(this.#turn);
      case 'static-groups':
        if (this.#querier.isUp) this.#groups.changeStatic(event.changes, this.#turn);
        return this.#groups.settle(this.#turn);
      case 'sources-mapped':
        this.#intake.sourcesMapped(event.group, this.#turn);
        return this.#groups.settle(this.#turn);
      default:
        return assertNever(event);
    }
  }

  #advance(): void {
    this.#logRoleChange(this.#querier.expire(this.#turn.nowMs), undefined);
    this.#groups.advance(this.#turn);
    this.#sendGeneralQueryIfDue();
  }

  #linkUp(addresses: LinkAddresses): void {
    const wasUp = this.#querier.isUp;
    this.#querier.linkUp(addresses, this.#turn.nowMs);
    this.#sendGeneralQueryIfDue();
    if (wasUp) return;
    this.#groups.setStatic(this.#turn.settings.staticGroups, this.#turn);
    this.#groups.settle(this.#turn);
  }

  #linkDown(): void {
    this.#groups.clear(this.#turn);
    this.#intake.clear();
    this.#querier.linkDown();
  }

  #configure(settings: IgmpInterfaceSettings): void {
    const before = { settings: this.#turn.settings, livesMs: this.#turn.intervals.groupMembershipIntervalMs };
    this.#turn.settings = settings;
    this.#logRoleChange(this.#querier.configure(settings, this.#turn.nowMs), undefined);
    this.#groups.settingsChanged(this.#turn.intervals.groupMembershipIntervalMs - before.livesMs, this.#turn);
    if (this.#querier.isUp) this.#groups.setStatic(settings.staticGroups, this.#turn);
    const { ssmMapping, ssmRange } = before.settings;
    const sameMapping = settings.ssmMapping === ssmMapping && samePrefix(settings.ssmRange, ssmRange);
    if (!sameMapping) this.#intake.mappingChanged(this.#turn);
    this.#groups.settle(this.#turn);
    this.#sendGeneralQueryIfDue();
  }

  #receive(packet: ReceivedIgmp): void {
    const { settings } = this.#turn;
    const reason = this.#querier.isUp ? refusePacket(packet, this.#querier.addresses, settings) : 'interface_down';
    if (reason !== undefined) return this.#refuse(packet, reason);
    const { source, message } = packet;
    if (message.kind === 'query') return this.#receiveQuery(source, message);
    this.#receiveReport(source, message);
    this.#groups.settle(this.#turn);
  }

  #refuse({ source }: ReceivedIgmp, reason: IgmpDropReason): void {
    this.#turn.count(reason);
    if (reason !== 'querier_denied') return;
    this.#turn.logSparingly('querier-denied', 'warn', () => `${formatIpv4(source)} sends queries, but may not be querier here`);
  }

  #receiveReport(reporter: Ipv4, message: Exclude<IgmpMessage, IgmpQuery>): void {
    if (message.kind !== 'report-v3') return this.#intake.receive(recordOfOlder(message, reporter), this.#turn);
    for (const record of message.records) this.#intake.receive(recordOfV3(record, reporter), this.#turn);
  }

  #receiveQuery(source: Ipv4, query: IgmpQuery): void {
    this.#checkVersion(source, query);
    if (query.group !== 0) return this.#groups.heardSpecificQuery(query, this.#turn);
    this.#logRoleChange(this.#querier.heardGeneralQuery(source, query, this.#turn.nowMs), query);
  }

  /**
   * RFC 3376 §7.3.1: all routers of a link must be configured for the same version; warn of a general query that shows otherwise.
   * It still counts for the election: two queriers would be worse. A v2 Q(G) may come from a router that has yet to hear of us.
   */
  #checkVersion(source: Ipv4, query: IgmpQuery): void {
    const { version } = this.#turn.settings;
    if (query.version === version || (query.group !== 0 && query.version < version)) return;
    this.#turn.count('wrong_query_version');
    this.#turn.logSparingly('querier-version', 'warn', () => {
      return `${formatIpv4(source)} sends IGMPv${query.version} queries, this interface is configured for IGMPv${version}`;
    });
  }

  #sendGeneralQueryIfDue(): void {
    const source = this.#querier.sendingAddress;
    if (source === undefined || !this.#querier.takeDueQuery(this.#turn.nowMs)) return;
    this.#turn.emit({ kind: 'send', source, destination: ALL_SYSTEMS, message: generalQuery(this.#turn.settings) });
  }

  #tellRole(): void {
    if (!this.#querier.isUp || this.#toldQuerier !== this.#querier.isDeposed) return;
    this.#toldQuerier = !this.#querier.isDeposed;
    this.#turn.emit({ kind: 'querier', isQuerier: this.#toldQuerier });
  }

  #logRoleChange(change: RoleChange, query: IgmpQuery | undefined): void {
    if (change === undefined) return;
    const { nowMs, settings } = this.#turn;
    const address = formatIpv4(this.#querier.snapshot(nowMs).address);
    if (change === 'became-querier') {
      this.#turn.logSparingly('querier-won', 'info', () => `the other querier is silent, ${address} is querier again`);
    } else {
      const version = query?.version ?? settings.version;
      this.#turn.logSparingly('querier-lost', 'info', () => `${address} is querier, speaking IGMPv${version}`);
    }
  }
}

function samePrefix(one: Ipv4Prefix, other: Ipv4Prefix): boolean {
  return one.address === other.address && one.length === other.length;
}

function assertNever(value: never): never {
  throw new Error(`unhandled case ${JSON.stringify(value)}`);
}
