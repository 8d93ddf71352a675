/**
 * The mgroups of an smcroute.conf: joins sent out of the interface a stream comes in by. xmcast asks an upstream for what some
 * downstream interface wants, so a join becomes a static membership of an interface that its routes lead to.
 */
import { printable } from '../config/printable';
import {
  formatIpv4,
  formatPrefix,
  isLocalNetworkControl,
  prefixContains,
  type Ipv4,
  type Ipv4Prefix,
} from '../protocol/packet/address';
import { PrefixTable } from '../protocol/packet/prefix-table';
import type { Notes } from './import-result';
import type { SmcFlow, SmcRoute } from './smcroute-read';
import { MAX_GROUPS, MAX_IN_ALL, MAX_SOURCES, type StaticMemberships } from './static-memberships';

/** Addresses that one mgroup with a prefix may stand for. */
const MAX_EXPANDED = 1024;
const MAX_EXPANDED_IN_ALL = 65_536;
/** RFC 4541 §2.1.2: a snooping switch sends the querier every group. */
const NO_UPSTREAM =
  'streams go out there too, so it is no upstream, and xmcast is a querier on that link: a snooping switch sends it every group, ' +
  'unless another router there is the querier';
/** RFC 4607 §1. */
const SSM_RANGE: Ipv4Prefix = { address: 0xe8000000, length: 8 };

export interface JoinContext {
  readonly upstreams: ReadonlySet<string>;
  /** Those that became static routes: only where one replaces what a membership would forward is a membership nothing but a join. */
  readonly routes: readonly SmcRoute[];
  readonly memberships: StaticMemberships;
  readonly notes: Notes;
}

export function translateJoins(joins: readonly SmcFlow[], context: JoinContext): void {
  new JoinTranslator(context).translate(joins);
}

/** A route that leads to an interface that can have memberships. */
interface Lead {
  readonly target: string;
  readonly source: Ipv4Prefix | undefined;
}

type Outcome = 'joined' | 'no-route' | 'no-source' | 'full';

class JoinTranslator {
  readonly #context: JoinContext;
  /** By incoming interface and group. */
  readonly #leads = new Map<string, PrefixTable<Lead[]>>();
  #expanded = 0;

  constructor(context: JoinContext) {
    this.#context = context;
    for (const route of context.routes) this.#addLead(route);
  }

  translate(joins: readonly SmcFlow[]): void {
    for (const join of joins) {
      if (this.#context.upstreams.has(join.from)) this.#expand(join);
      else this.#context.notes.warning(join.line, `${nameOf(join)}: left out; ${NO_UPSTREAM}`);
    }
  }

  #addLead({ from, to, group, source }: SmcRoute): void {
    const target = to.find((name) => this.#context.memberships.canHave(name));
    if (target === undefined) return;
    const table = this.#leads.get(from) ?? new PrefixTable<Lead[]>();
    this.#leads.set(from, table);
    const known = table.get(group);
    if (known === undefined) table.set(group, [{ target, source }]);
    else known.push({ target, source });
  }

  #expand(join: SmcFlow): void {
    const { line, group, source } = join;
    const groups = sizeOf(group);
    const isTooMany =
      groups > MAX_EXPANDED ||
      this.#expanded + groups > MAX_EXPANDED_IN_ALL ||
      (source !== undefined && sizeOf(source) > MAX_SOURCES);
    if (isTooMany) {
      const limits = `${MAX_EXPANDED} groups of ${MAX_SOURCES} sources in one mgroup, ${MAX_EXPANDED_IN_ALL} in all`;
      return this.#context.notes.warning(
        line,
        `${nameOf(join)}: left out; a membership is one address, and these are too many (up to ${limits})`,
      );
    }
    this.#expanded += groups;
    const routed = [...addressesOf(group)].filter((address) => !isLocalNetworkControl(address));
    this.#tell(join, new Set(routed.map((address) => this.#joinOne(address, join))));
  }

  #joinOne(group: Ipv4, { from, source }: SmcFlow): Outcome {
    const { memberships } = this.#context;
    const leads = this.#leads.get(from);
    const target = leads?.longest(group)?.[0]?.target;
    if (leads === undefined || target === undefined) return memberships.has(group) ? 'joined' : 'no-route';
    const named = source === undefined ? [] : [...addressesOf(source)];
    const sources = named.length === 0 && prefixContains(SSM_RANGE, group) ? sourcesOfLeads(leads, group) : named;
    if (sources.length === 0 && prefixContains(SSM_RANGE, group)) return 'no-source';
    return memberships.add(target, group, sources) ? 'joined' : 'full';
  }

  #tell(join: SmcFlow, outcomes: ReadonlySet<Outcome>): void {
    const { notes } = this.#context;
    const what = nameOf(join);
    if (outcomes.has('no-route')) {
      notes.warning(
        join.line,
        `${what}: left out where no mroute leads from there to an interface that can have memberships; xmcast asks only for what is wanted behind it`,
      );
    }
    if (outcomes.has('no-source'))
      notes.error(join.line, `${what}: left out; in 232.0.0.0/8 a join names its sources (RFC 4607)`);
    if (outcomes.has('full'))
      notes.error(
        join.line,
        `${what}: left out beyond ${MAX_GROUPS} groups of an interface, ${MAX_SOURCES} sources of a group and ${MAX_IN_ALL} in all`,
      );
    if (outcomes.has('joined')) {
      notes.info(
        join.line,
        `${what}: written as a static membership of the interface its stream goes to, which is what xmcast asks for upstream`,
      );
    }
  }
}

/** In the source-specific range the sources of the routes are the ones that can be meant. */
function sourcesOfLeads(leads: PrefixTable<Lead[]>, group: Ipv4): readonly Ipv4[] {
  const sources = new Set<Ipv4>();
  for (const some of leads.containing(group)) {
    for (const { source } of some) {
      if (source?.length === 32) sources.add(source.address);
      if (sources.size > MAX_SOURCES) return [...sources];
    }
  }
  return [...sources];
}

function nameOf({ group, from }: SmcFlow): string {
  return `mgroup ${formatPrefix(group)} on ${printable(from)}`;
}

function sizeOf({ length }: Ipv4Prefix): number {
  return 2 ** (32 - length);
}

function* addressesOf(prefix: Ipv4Prefix): Iterable<Ipv4> {
  for (let offset = 0; offset < sizeOf(prefix); offset++) yield prefix.address + offset;
}

/** The groups that come from each interface. */
export function groupsByInterface(flows: readonly SmcFlow[]): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = new Map<string, Set<string>>();
  for (const { from, group } of flows) {
    const known = groups.get(from) ?? new Set<string>();
    groups.set(from, known.add(group.length === 32 ? formatIpv4(group.address) : formatPrefix(group)));
  }
  return groups;
}
