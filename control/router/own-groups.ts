/**
 * What this machine's own applications want, whoever joined and how: the kernel's list of groups, told to the multicast routing base as
 * wishes of the machine. On an interface with hosts it is a member like they are. Reads when it is told that something may have changed.
 */
import { errorText } from '../errors';
import type { EventSink } from '../events';
import type { HostGroup } from '../kernel/host-groups';
import { joinOnHost } from '../kernel/host-membership';
import type { VportId } from '../mrib/route';
import type { GroupDemand } from '../protocol/igmp/router/api';
import { formatIpv4, prefixContains, type Ipv4 } from '../protocol/packet/address';
import { OwnMemberships, type JoinOnHost } from './own-memberships';
import type { Port } from './port';

export interface OwnGroupsOptions {
  readonly ports: () => readonly Port[];
  /** For what the configuration wants the machine to be a member of. Default: in this machine's kernel. */
  readonly joinOnHost?: JoinOnHost;
  /** The groups that this machine's kernel is in: the same array as long as they are the same. Default: none. */
  readonly readHostGroups?: () => Promise<readonly HostGroup[]>;
  readonly events: EventSink;
  readonly onDemand: (vport: VportId, group: Ipv4, demand: GroupDemand | undefined) => void;
}

/** Any user of the machine can join: the tables of the router are not theirs to fill. */
const LIMIT = 1024;
const NO_GROUPS: readonly HostGroup[] = [];
/** RFC 5771 section 4: never leaves its link, so nothing has to be done for it. */
const LOCAL_NETWORK_CONTROL = { address: 0xe0000000, length: 24 };

interface Wish {
  readonly vport: VportId;
  readonly group: Ipv4;
  readonly sources: readonly Ipv4[];
}

export class OwnGroups {
  readonly #options: OwnGroupsOptions;
  readonly #held: OwnMemberships;
  /** What was told, by nameOf(). */
  #told: ReadonlyMap<string, Wish> = new Map();
  #reading: Promise<void> | undefined;
  #isStale = false;
  #isClosed = false;
  /** Said once. */
  readonly #problems = new Set<string>();

  constructor(options: OwnGroupsOptions) {
    this.#options = options;
    this.#held = new OwnMemberships({ join: options.joinOnHost ?? joinOnHost, events: options.events, onChanged: () => void this.look() });
  }

  /** The interfaces are others, or what the kernel refused may succeed now. */
  follow(): void {
    this.#held.follow(this.#options.ports());
    void this.look();
  }

  /** Somebody may have joined or left, as a report of the kernel's own tells; of what, the kernel can be asked. Resolves when what there is now has been told; never rejects. */
  look(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#readAll();
    return this.#reading;
  }

  close(): void {
    this.#isClosed = true;
    this.#held.close();
  }

  async #readAll(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      try {
        const groups = (await this.#options.readHostGroups?.()) ?? NO_GROUPS;
        if (!this.#isClosed) this.#follow(groups);
      } catch (error) {
        this.#complain(`read the groups of this machine: ${errorText(error)}; its applications get what join_groups and hosts ask for`);
      }
    }
    this.#reading = undefined;
  }

  #follow(groups: readonly HostGroup[]): void {
    const wanted = this.#wishes(groups);
    for (const [name, { vport, group }] of this.#told) if (!wanted.has(name)) this.#options.onDemand(vport, group, undefined);
    for (const [name, wish] of wanted) if (!sameSources(this.#told.get(name), wish)) this.#options.onDemand(wish.vport, wish.group, demandOf(wish));
    this.#told = wanted;
  }

  /** Within the limit: what was there before comes first. */
  #wishes(groups: readonly HostGroup[]): ReadonlyMap<string, Wish> {
    const usable = this.#options.ports().filter((port) => port.usable);
    // By both: the data plane may be in another network namespace, with other interfaces of the same numbers.
    const vports = new Map(usable.map(({ name, link, vport }) => [`${link?.ifindex} ${name}`, vport]));
    const found = new Map<string, Wish>();
    for (const { ifindex, interfaceName, group, sources } of groups) {
      const vport = vports.get(`${ifindex} ${interfaceName}`);
      if (vport !== undefined && !prefixContains(LOCAL_NETWORK_CONTROL, group)) found.set(nameOf(vport, group), { vport, group, sources });
    }
    if (found.size <= LIMIT) return found;
    this.#complain(`applications of this machine are in ${found.size} groups, from ${formatIpv4([...found.values()][LIMIT]?.group ?? 0)} on without a part in routing: ${LIMIT} are followed`);
    const known = [...found].filter(([name]) => this.#told.has(name));
    const others = [...found].filter(([name]) => !this.#told.has(name));
    return new Map([...known, ...others].slice(0, LIMIT));
  }

  #complain(problem: string): void {
    if (this.#problems.has(problem)) return;
    this.#problems.add(problem);
    this.#options.events.report({ type: 'notice', severity: 'warn', text: problem, fields: {} });
  }
}

function nameOf(vport: VportId, group: Ipv4): string {
  return `${vport} ${group}`;
}

function sameSources(before: Wish | undefined, { sources }: Wish): boolean {
  return before?.sources.length === sources.length && before.sources.every((source, i) => source === sources[i]);
}

function demandOf({ sources }: Wish): GroupDemand {
  return sources.length === 0 ? { mode: 'exclude', sources: [], requested: [] } : { mode: 'include', sources };
}
