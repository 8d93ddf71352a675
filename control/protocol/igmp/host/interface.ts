/**
 * The host side of IGMP on one upstream interface: takes events, keeps what is wanted, follows the version of the querier, and hands
 * the rest to the reporter of that version. Owns the order in which things happen within one input; decides no protocol rule.
 *
 * Reports leave with a 'timer' only, so that all changes of one turn share packets. It counts what it refuses itself; `skipped` of a
 * packet is the codec's finding, which whoever decoded the packet counts.
 */
import { formatIpv4, type Ipv4, type Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpQuery, ReceivedIgmp } from '../message';
import { refusePacket } from './admission';
import type { HostFilter, IgmpHostEffect, IgmpHostEvent, IgmpHostInterface, IgmpHostSettings, IgmpHostSnapshot } from './api';
import { CurrentReporter } from './current-reporter';
import { asReported, isNothing } from './filter';
import { OlderReporter } from './older-reporter';
import { QuerierPresence } from './querier-presence';
import type { Reporter, Turn } from './reporter';
import { WantedFilters } from './wanted-filters';

/** RFC 4604 §2.2.3, §2.2.5 want an error logged for such queries; a querier, or a forger, decides how often they come. */
const LOG_GAP_MS = 60_000;

export function createIgmpHostInterface(settings: IgmpHostSettings): IgmpHostInterface {
  return new HostInterface(settings);
}

class HostInterface implements IgmpHostInterface {
  #settings: IgmpHostSettings;
  #reporter: Reporter;
  readonly #filters = new WantedFilters();
  readonly #presence = new QuerierPresence();
  /** undefined: the link is down. */
  #addresses: readonly Ipv4Prefix[] | undefined;
  /** Time never goes back, whatever the caller passes: timers compare against it. */
  #nowMs = 0;
  #quietUntilMs = -Infinity;

  constructor(settings: IgmpHostSettings) {
    this.#settings = settings;
    this.#reporter = createReporter(settings.version);
  }

  input(event: IgmpHostEvent, nowMs: number): readonly IgmpHostEffect[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const effects: IgmpHostEffect[] = [];
    const { version } = this.#reporter;
    // A version that ended before the event has ended for it, however late the timer is.
    this.#followVersion(effects);
    this.#handle(event, effects);
    // Another version says the same in other filters.
    if (this.#reporter.version !== version) effects.push({ kind: 'wanted', group: undefined });
    return effects;
  }

  nextDeadline(): number | undefined {
    if (this.#addresses === undefined) return undefined;
    if (this.#filters.changes.length > 0) return this.#nowMs;
    const report = this.#reporter.nextDeadline();
    const version = this.#presence.nextDeadline(this.#settings.version, this.#nowMs);
    return report === undefined ? version : Math.min(report, version ?? report);
  }

  snapshot(nowMs: number): IgmpHostSnapshot {
    const now = Math.max(this.#nowMs, nowMs);
    const { querier, lastQueryAtMs } = this.#presence;
    return {
      version: this.#presence.version(this.#settings.version, now),
      querier,
      lastQueryMs: lastQueryAtMs === undefined ? undefined : now - lastQueryAtMs,
      olderVersionMs: this.#presence.olderVersionMs(this.#settings.version, now),
      groups: this.#filters.size,
    };
  }

  *wanted(): Iterable<{ readonly group: Ipv4; readonly filter: HostFilter }> {
    for (const [group, filter] of this.#filters) yield { group, filter: asReported(filter, this.#reporter.version) };
  }

  wantedOf(group: Ipv4): HostFilter | undefined {
    const filter = this.#filters.of(group);
    return isNothing(filter) ? undefined : asReported(filter, this.#reporter.version);
  }

  #handle(event: IgmpHostEvent, effects: IgmpHostEffect[]): void {
    switch (event.kind) {
      case 'wanted':
        if (this.#filters.set(event.group, event.filter)) effects.push({ kind: 'wanted', group: event.group });
        return;
      case 'received':
        return this.#receive(event.packet, effects);
      case 'timer':
        return this.#report(effects);
      case 'link-up':
        return this.#linkUp(event.addresses, effects);
      case 'link-down':
        return this.#linkDown();
      case 'settings':
        this.#settings = event.settings;
        this.#switchVersion();
        return;
      default:
        return assertNever(event);
    }
  }

  #receive(packet: ReceivedIgmp, effects: IgmpHostEffect[]): void {
    const reason = this.#addresses === undefined ? 'interface_down' : refusePacket(packet, this.#addresses);
    if (reason !== undefined) return count(effects, reason);
    const { message } = packet;
    switch (message.kind) {
      case 'query':
        return this.#receiveQuery(packet.source, message, effects);
      case 'report-v1':
      case 'report-v2':
        if (!this.#reporter.heardReport(message.group, this.#turn(effects))) count(effects, 'not_for_hosts');
        return;
      case 'report-v3':
      case 'leave':
        // RFC 3376 §5: "types other than Query are silently ignored, except as required for interoperation".
        return count(effects, 'not_for_hosts');
      default:
        return assertNever(message);
    }
  }

  #receiveQuery(source: Ipv4, query: IgmpQuery, effects: IgmpHostEffect[]): void {
    this.#presence.heardQuery(source, query, this.#nowMs, this.#settings);
    // The older reporter is there before the query that called for it is answered.
    const hasChanged = this.#followVersion(effects);
    if (query.version < 3 && (hasChanged || query.group !== 0)) this.#logLostSources(query, effects);
    this.#reporter.heardQuery(query, this.#turn(effects));
  }

  #report(effects: IgmpHostEffect[]): void {
    if (this.#addresses === undefined) return;
    this.#reporter.report(this.#filters.changes, this.#turn(effects));
    this.#filters.markAnnounced();
  }

  /**
   * Everything is reported as if just joined when the link returns, and when the address reports come from is another: a router may
   * have refused what came from the old one as from outside its subnets (RFC 3376 §9.2), or count hosts by address. The querier of a
   * link that stayed up is still the same.
   */
  #linkUp(addresses: readonly Ipv4Prefix[], effects: IgmpHostEffect[]): void {
    const before = this.#addresses;
    if (before !== undefined && before[0]?.address === addresses[0]?.address) {
      this.#addresses = addresses;
      return;
    }
    this.#addresses = addresses;
    // The last changes of a link that stayed up, or what is no longer wanted would be forgotten here.
    if (before !== undefined) this.#report(effects);
    this.#filters.forgetAnnouncements();
  }

  #linkDown(): void {
    this.#addresses = undefined;
    this.#presence.reset();
    this.#replaceReporter(this.#settings.version);
  }

  #followVersion(effects: IgmpHostEffect[]): boolean {
    if (!this.#switchVersion()) return false;
    const { version } = this.#reporter;
    const isOlder = version < this.#settings.version;
    const reason = isOlder ? 'an older querier is present' : 'no older querier is left';
    const text = `reports are in IGMPv${version}: ${reason}, ${formatIpv4(this.#presence.querier)} asked last`;
    effects.push({ kind: 'log', level: isOlder ? 'warn' : 'info', about: 'querier', text });
    return true;
  }

  /** RFC 3376 §7.2.1: "Whenever a host changes its compatibility mode, it cancels all its pending response and retransmission timers." */
  #switchVersion(): boolean {
    const version = this.#presence.version(this.#settings.version, this.#nowMs);
    if (version === this.#reporter.version) return false;
    this.#replaceReporter(version);
    return true;
  }

  #replaceReporter(version: 1 | 2 | 3): void {
    this.#filters.forgetRepetitions();
    this.#reporter = createReporter(version);
  }

  /** RFC 4604 §2.2.3, §2.2.5: an older query for groups that are wanted from named sources. */
  #logLostSources(query: IgmpQuery, effects: IgmpHostEffect[]): void {
    // Whoever configured an older version knows.
    if (this.#settings.version < 3 || this.#quietUntilMs > this.#nowMs) return;
    const groups = query.group === 0 ? Array.from(this.#filters, ([, filter]) => filter) : [this.#filters.of(query.group)];
    const lost = groups.filter(({ mode, sources }) => mode === 'include' && sources.length > 0).length;
    if (lost === 0) return;
    this.#quietUntilMs = this.#nowMs + LOG_GAP_MS;
    const asker = formatIpv4(this.#presence.querier);
    const text = `${asker} asks in IGMPv${query.version}, which knows no sources, about ${lost} groups wanted from named sources only`;
    effects.push({ kind: 'log', level: 'warn', about: 'mismatch', text });
  }

  #turn(effects: IgmpHostEffect[]): Turn {
    const { unsolicitedReportIntervalMs, recordedSourcesLimit, mtu, random } = this.#settings;
    // RFC 3376 §4.2.13: 0.0.0.0 "may be used by a system that has not yet acquired an IP address".
    const source = this.#addresses?.[0]?.address ?? 0;
    return {
      nowMs: this.#nowMs,
      filters: this.#filters,
      robustness: this.#presence.robustness(this.#settings.robustness),
      unsolicitedReportIntervalMs,
      recordedSourcesLimit,
      mtu,
      random,
      send: (destination, message) => effects.push({ kind: 'send', source, destination, message }),
    };
  }
}

function createReporter(version: 1 | 2 | 3): Reporter {
  return version === 3 ? new CurrentReporter() : new OlderReporter(version);
}

function count(effects: IgmpHostEffect[], reason: IgmpDropReason): void {
  effects.push({ kind: 'count', reason });
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
