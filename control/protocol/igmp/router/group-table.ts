/**
 * All groups of one interface: finds or creates them within the limits, applies records, lets them expire, sends their last-member
 * queries and publishes their demand when it changed. Never judges senders, group addresses or access: intake.ts has done so.
 */
import { formatIpv4, type Ipv4 } from '../../packet/address';
import { RecordType, type GroupRecord, type IgmpQuery } from '../message';
import type { MembershipSnapshot, Restored, StaticGroup, StaticGroupChange } from './api';
import { effectiveRecord, noteOlderHost } from './compatibility';
import { DeadlineQueue } from '../deadline-queue';
import { demandOf, sameDemand } from './demand';
import { applyRecord, extendTimers, firstExpiryMs, isEmpty, lowerGroupTimer, lowerSourceTimers } from './group-state';
import {
  applyToHost,
  findHost,
  forgetAllHosts,
  forgetHost,
  forgetSilentHosts,
  hideHosts,
  hostsOf,
  rememberHost,
  type Host,
} from './hosts';
import { LastMemberQueries } from './last-member-queries';
import { isOver, newMembership, pass, type Membership } from './membership';
import { isExempt, type Places } from './places';
import { endAtOnce, type Question } from './quick-leave';
import { asksForTraffic, type AdmittedRecord } from './record';
import { snapshotOf, type SnapshotContext } from './snapshot';
import type { Mapping } from './ssm-mapping';
import type { Turn } from './turn';

export class GroupTable {
  /** By keyOf(). */
  readonly #groups = new Map<number, Membership>();
  readonly #queue = new DeadlineQueue<Membership>();
  readonly #places: Places;
  /** Changed in this turn, not yet settled: a packet with many records of one group sends and publishes once. */
  readonly #touched: Membership[] = [];
  /** Groups that are static by the settings, with their sources. */
  #fixed: ReadonlyMap<Ipv4, readonly Ipv4[]> = new Map();
  /** Those beside them. */
  readonly #added = new Map<Ipv4, readonly Ipv4[]>();

  #unclaimed = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  get count(): number {
    return this.#groups.size;
  }

  get unclaimedCount(): number {
    return this.#unclaimed;
  }

  /** What hosts have said by now stands; who spoke for the rest is not known. It was there before: no limit refuses it. */
  restore({ group, mode, sources, untilMs }: Restored, turn: Turn): void {
    const found = this.#groups.get(keyOf(group));
    if (found?.mode === 'exclude') return;
    const news = sources.filter((source) => found?.sources.has(source) !== true);
    if (mode === 'include' && news.length === 0) return;
    const membership = found ?? this.#create(group, turn);
    this.#touch(membership);
    hideHosts(membership, untilMs);
    if (found === undefined) this.#unclaimed += 1;
    membership.isUnclaimed ||= found === undefined;
    const type = mode === 'exclude' ? RecordType.MODE_IS_EXCLUDE : RecordType.MODE_IS_INCLUDE;
    this.#change(membership, { type, sources: mode === 'exclude' ? sources : news }, turn, untilMs - turn.nowMs);
  }

  /** Takes effect at once in the state; queries and demand follow with settle(). */
  apply(record: AdmittedRecord, turn: Turn): void {
    const found = this.#groups.get(keyOf(record.group));
    const joins = asksForTraffic(record);
    if (found === undefined && !joins) return;
    if (joins && this.#refuses(record, found, turn)) return this.suppressorHeard(record.group, turn);
    const membership = found ?? this.#create(record.group, turn);
    this.#touch(membership);
    if (joins) this.#claim(membership);
    if (joins) noteJoin(membership, record, turn);
    this.#track(membership, record, turn);
    const effective = effectiveRecord(record, membership, turn.settings, turn.nowMs);
    if (effective.reduced) turn.count('ignored_in_compatibility_mode');
    if (effective.sources !== undefined) this.#change(membership, { type: effective.type, sources: effective.sources }, turn);
  }

  /** A report that takes no effect. If it is an older one, hosts of the group may keep silent because of it (RFC 3376 §7.2.2). */
  suppressorHeard(group: Ipv4, turn: Turn): void {
    const membership = this.#groups.get(keyOf(group));
    if (membership !== undefined) hideHosts(membership, turn.nowMs + turn.intervals.olderHostPresentIntervalMs);
  }

  /** §6.6.1: another router asks with the S flag clear. */
  heardSpecificQuery(query: IgmpQuery, turn: Turn): void {
    const membership = this.#groups.get(keyOf(query.group));
    if (membership === undefined || query.suppressRouterProcessing) return;
    const { lastMemberQueryTimeMs, lastMemberQueryCount } = turn.intervals;
    // RFC 2236 §3: LMQC times the Max Response Time of the message, which the querier may have configured longer than we have.
    // Never shorter than ours: with Max Response Time 0 hosts would have no time to object.
    const loweredMs = turn.nowMs + Math.max(lastMemberQueryTimeMs, query.maxResponseTimeMs * lastMemberQueryCount);
    if (query.sources.length > 0) lowerSourceTimers(membership, query.sources, loweredMs);
    else lowerGroupTimer(membership, loweredMs);
    if (!isEmpty(membership)) this.#queue.expedite(membership, loweredMs);
  }

  mappingOf(group: Ipv4): Mapping | undefined {
    return this.#groups.get(keyOf(group))?.mapping;
  }

  setMapping(group: Ipv4, mapping: Mapping | undefined): void {
    const membership = this.#groups.get(keyOf(group));
    if (membership !== undefined) membership.mapping = mapping;
  }

  mappedGroups(): readonly Ipv4[] {
    return Array.from(this.#groups.values()).flatMap(({ group, mapping }) => (mapping === undefined ? [] : [group]));
  }

  /** Lets everything happen that is due by now. */
  advance(turn: Turn): void {
    for (;;) {
      const membership = this.#queue.first();
      if (membership?.deadlineMs === undefined || membership.deadlineMs > turn.nowMs) return;
      this.#wake(membership, turn);
    }
  }

  /** Ends the turn for all groups that records touched. */
  settle(turn: Turn): void {
    for (const membership of this.#touched) {
      membership.isTouched = false;
      this.#settle(membership, turn);
    }
    this.#touched.length = 0;
  }

  /** Exactly these groups are static by the settings from now on. */
  setStatic(groups: readonly StaticGroup[], turn: Turn): void {
    const wanted = new Map(groups.map(({ group, sources }) => [group, sources]));
    for (const group of this.#fixed.keys()) if (!wanted.has(group)) this.#fix(group, this.#added.get(group), turn);
    for (const [group, sources] of wanted) this.#fix(group, sources, turn);
    this.#fixed = wanted;
  }

  /** Beside those of the settings. */
  changeStatic(changes: readonly StaticGroupChange[], turn: Turn): void {
    for (const { group, sources } of changes) {
      if (sources === undefined) this.#added.delete(group);
      else this.#added.set(group, sources);
      if (!this.#fixed.has(group)) this.#fix(group, sources, turn);
    }
  }

  /** The settings of the turn are new. `longerMs`: how much longer memberships live now; those that there are do so too. */
  settingsChanged(longerMs: number, turn: Turn): void {
    this.#places.changeBudget(turn.settings.limits.total);
    for (const membership of this.#groups.values()) {
      this.#recount(membership, turn);
      if (longerMs > 0) extendLives(membership, longerMs, turn);
    }
    this.#places.watch(turn);
  }

  /** Forgets all groups, publishing that nobody listens any more. */
  clear(turn: Turn): void {
    for (const membership of this.#groups.values()) {
      this.#release(membership, turn);
      if (membership.published !== undefined) turn.emit({ kind: 'membership', group: membership.group, wanted: undefined });
    }
    this.#groups.clear();
    this.#queue.clear();
    this.#fixed = new Map();
    this.#added.clear();
  }

  nextDeadline(): number | undefined {
    return this.#queue.first()?.deadlineMs;
  }

  snapshots(context: SnapshotContext): MembershipSnapshot[] {
    return Array.from(this.#groups.values(), (membership) => snapshotOf(membership, context));
  }

  snapshot(group: Ipv4, context: SnapshotContext): MembershipSnapshot | undefined {
    const membership = this.#groups.get(keyOf(group));
    return membership === undefined ? undefined : snapshotOf(membership, context);
  }

  *all(): Iterable<Ipv4> {
    for (const { group } of this.#groups.values()) yield group;
  }

  /** A join beyond a limit: of a group too many, or of a host in too many groups. */
  #refuses({ group, reporter }: AdmittedRecord, found: Membership | undefined, turn: Turn): boolean {
    const isCounted = found?.isCounted ?? !isExempt(group, turn.settings.limits);
    if (!isCounted) return false;
    const isMember = found !== undefined && findHost(found, reporter) !== undefined;
    if (!isMember && this.#places.refuseHost(reporter, turn) !== undefined) return true;
    return found === undefined && this.#places.refuseGroup(turn) !== undefined;
  }

  #create(group: Ipv4, turn: Turn): Membership {
    const membership = this.#add(group, turn);
    this.#recount(membership, turn);
    return membership;
  }

  #add(group: Ipv4, turn: Turn): Membership {
    const membership = newMembership(group, turn.nowMs);
    this.#groups.set(keyOf(group), membership);
    return membership;
  }

  #touch(membership: Membership): void {
    if (membership.isTouched) return;
    membership.isTouched = true;
    this.#touched.push(membership);
  }

  /** `sources` undefined: not static any more. */
  #fix(group: Ipv4, sources: readonly Ipv4[] | undefined, turn: Turn): void {
    const membership = this.#groups.get(keyOf(group)) ?? (sources === undefined ? undefined : this.#add(group, turn));
    if (membership === undefined) return;
    membership.fixed = sources;
    membership.unpublished = true;
    this.#recount(membership, turn);
    this.#touch(membership);
  }

  /** Static groups and those the limits except take no place. */
  #recount(membership: Membership, turn: Turn): void {
    const isCounted = membership.fixed === undefined && !isExempt(membership.group, turn.settings.limits);
    if (isCounted === membership.isCounted) return;
    membership.isCounted = isCounted;
    if (isCounted) this.#places.takeGroup(turn);
    else this.#places.releaseGroup(turn);
    for (const { address } of hostsOf(membership)) this.#places.countForHost(address, isCounted ? 1 : -1);
  }

  #track(membership: Membership, record: AdmittedRecord, turn: Turn): void {
    const { nowMs, intervals } = turn;
    const expiryMs = nowMs + intervals.groupMembershipIntervalMs;
    const host = findHost(membership, record.reporter);
    if (host !== undefined) {
      if (!applyToHost(membership, host, record, { nowMs, expiryMs })) this.#forget(membership, host, turn);
    } else if (asksForTraffic(record)) {
      const isKnown = record.reporter !== 0 && this.#places.takeHost(record.reporter, membership.isCounted, turn);
      if (isKnown) rememberHost(membership, record, { nowMs, expiryMs });
      else hideHosts(membership, expiryMs);
    }
  }

  #forget(membership: Membership, host: Host, turn: Turn): void {
    forgetHost(membership, host);
    this.#places.releaseHost(host.address, membership.isCounted, turn);
  }

  #claim(membership: Membership): void {
    if (membership.isUnclaimed) this.#unclaimed -= 1;
    membership.isUnclaimed = false;
  }

  /** `livesMs`: without another report. */
  #change(membership: Membership, { type, sources }: Pick<GroupRecord, 'type' | 'sources'>, turn: Turn, livesMs = turn.intervals.groupMembershipIntervalMs): void {
    const sourceLimit = turn.settings.limits.sourcesPerGroup;
    const outcome = applyRecord(membership, type, sources, { nowMs: turn.nowMs, groupMembershipIntervalMs: livesMs, sourceLimit });
    membership.unpublished ||= outcome.changed;
    // Timers that were refreshed run out later than they would have: when the earlier time comes, the queue will see.
    this.#queue.expedite(membership, turn.nowMs + livesMs);
    // RFC 2236 §3: "Non-Queriers MUST ignore Leave Group messages".
    if (turn.isQuerier && (outcome.queryGroup || outcome.querySources.length > 0)) {
      this.#ask(membership, endAtOnce(membership, outcome, turn), turn);
    }
    if (outcome.refusedSources > 0) refuseSources(membership.group, turn);
  }

  #ask(membership: Membership, { querySources, queryGroup }: Question, turn: Turn): void {
    const { version } = turn.settings;
    // A v1 query cannot name a group (§7.3.1): what cannot be asked is left to its timer. Nor can a v2 query name sources; it asks for
    // all of the group where the sources are a mapped host's, who knows none.
    const sources = version === 3 || (version === 2 && membership.mapping !== undefined) ? querySources : [];
    const asksGroup = queryGroup && version >= 2;
    if (sources.length === 0 && !asksGroup) return;
    membership.queries ??= new LastMemberQueries();
    membership.queries.askForSources(membership, sources, turn.nowMs, turn.intervals);
    if (asksGroup) membership.queries.askForGroup(membership, turn.nowMs, turn.intervals);
    this.#queue.expedite(membership, turn.nowMs + turn.intervals.lastMemberQueryTimeMs);
  }

  #wake(membership: Membership, turn: Turn): void {
    pass(membership, turn.nowMs);
    if (isEmpty(membership)) return this.#settle(membership, turn);
    const timers = membership.mode === 'include' ? membership.sources : undefined;
    for (const { address } of forgetSilentHosts(membership, timers, turn.nowMs)) {
      this.#places.releaseHost(address, membership.isCounted, turn);
    }
    // What it waited for is over; #settle makes it earlier again when queries follow.
    this.#queue.schedule(membership, firstExpiryMs(membership));
    this.#settle(membership, turn);
  }

  #settle(membership: Membership, turn: Turn): void {
    this.#publish(membership, turn);
    if (!isEmpty(membership)) return this.#sendDueQueries(membership, turn);
    this.#queue.schedule(membership, undefined);
    this.#forgetAll(membership, turn);
    if (!isOver(membership)) return;
    this.#groups.delete(keyOf(membership.group));
    this.#release(membership, turn);
  }

  /** INCLUDE({}): no host is left. */
  #forgetAll(membership: Membership, turn: Turn): void {
    this.#claim(membership);
    for (const { address } of hostsOf(membership)) this.#places.releaseHost(address, membership.isCounted, turn);
    forgetAllHosts(membership);
    membership.queries = undefined;
    membership.mapping = undefined;
  }

  #release(membership: Membership, turn: Turn): void {
    this.#forgetAll(membership, turn);
    if (membership.isCounted) this.#places.releaseGroup(turn);
    membership.isCounted = false;
  }

  #publish(membership: Membership, turn: Turn): void {
    if (!membership.unpublished) return;
    membership.unpublished = false;
    const wanted = demandOf(membership, membership.fixed);
    if (sameDemand(wanted, membership.published)) return;
    membership.published = wanted;
    turn.emit({ kind: 'membership', group: membership.group, wanted });
  }

  /** Also when this router is the querier no more. RFC 2236 §3: "the same router keeps sending the Group-Specific Queries". */
  #sendDueQueries(membership: Membership, turn: Turn): void {
    const { queries, group } = membership;
    if (queries === undefined) return;
    const { nowMs, settings, intervals, sendingAddress } = turn;
    const due = queries.due(membership, { nowMs, group, settings, intervals });
    const nextMs = queries.nextDeadline();
    if (nextMs === undefined) membership.queries = undefined;
    else this.#queue.expedite(membership, nextMs);
    if (sendingAddress === undefined) return;
    // §4.1.12: specific queries go to the group itself.
    for (const message of due) turn.emit({ kind: 'send', source: sendingAddress, destination: group, message });
  }
}

/** As a signed number: V8 boxes integers of 2^31 and above, all groups are such, and a look-up by a boxed key takes twice as long. */
function keyOf(group: Ipv4): number {
  return group | 0;
}

function noteJoin(membership: Membership, record: AdmittedRecord, { nowMs, intervals }: Turn): void {
  membership.lastReporter = record.reporter;
  if (record.mapped !== undefined) membership.mapping = { sources: record.mapped, join: record };
  if (record.version === 3) return;
  const untilMs = nowMs + intervals.olderHostPresentIntervalMs;
  noteOlderHost(membership, record.version, untilMs);
  hideHosts(membership, untilMs);
}

/** What was about to end, because nobody has answered a question yet, is left to do so. */
function extendLives(membership: Membership, longerMs: number, { nowMs, intervals }: Turn): void {
  extendTimers(membership, nowMs + intervals.lastMemberQueryTimeMs, longerMs);
  for (const host of hostsOf(membership)) host.expiryMs += longerMs;
  if (membership.v1PresentUntilMs > nowMs) membership.v1PresentUntilMs += longerMs;
  if (membership.v2PresentUntilMs > nowMs) membership.v2PresentUntilMs += longerMs;
  if (membership.hiddenUntilMs > nowMs) membership.hiddenUntilMs += longerMs;
}

function refuseSources(group: Ipv4, turn: Turn): void {
  const { sourcesPerGroup } = turn.settings.limits;
  turn.count('source_limit');
  turn.logSparingly('source-limit', 'warn', () => {
    return `source limit of ${sourcesPerGroup} reached in group ${formatIpv4(group)}, new sources are refused`;
  });
}
