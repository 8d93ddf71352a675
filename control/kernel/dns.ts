/**
 * A records by name from DNS. The only part that asks name servers; what an answer means and when to ask again is not known here.
 */
import { Resolver } from 'node:dns/promises';
import { parseIpv4, type Ipv4 } from '../protocol/packet/address';
import { systemClock, type Clock } from './clock';

export type DnsAnswer =
  | { readonly kind: 'found'; readonly records: readonly { readonly address: Ipv4; readonly ttlMs: number }[] }
  /** The server says that there is no such name, or no address of it. */
  | { readonly kind: 'notFound' }
  /** Nobody knows: no answer in time, a refusal, nonsense. `code` such as "ETIMEOUT" or "ESERVFAIL". */
  | { readonly kind: 'failure'; readonly code: string };

export interface DnsOptions {
  /** "address:port" or "[address]:port"; empty: those of the system. */
  readonly servers: readonly string[];
  /** For the first try; later ones wait longer. Default 2000. */
  readonly timeoutMs?: number;
  /** With each server. Default 2. */
  readonly tries?: number;
  readonly clock?: Clock;
}

interface Channel {
  readonly resolver: Resolver;
  readonly madeMs: number;
  running: number;
}

/** A resolver reads /etc/resolv.conf once; the network of an edge box may come later, or be another tomorrow. */
const SYSTEM_SERVERS_HOLD_MS = 30_000;
/** RFC 2181 §8: a TTL with the top bit set is zero. */
const LARGEST_TTL = 0x7fffffff;

export class DnsResolver {
  readonly #options: DnsOptions;
  readonly #clock: Clock;
  readonly #channels = new Set<Channel>();
  #current: Channel;
  #closed = false;

  constructor(options: DnsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#current = this.#open();
  }

  /** Never rejects. After close(): a failure. */
  async resolve4(name: string): Promise<DnsAnswer> {
    if (this.#closed) return { kind: 'failure', code: 'ECANCELLED' };
    const channel = this.#channel();
    channel.running++;
    try {
      const records = await channel.resolver.resolve4(name, { ttl: true });
      return foundAnswer(records);
    } catch (error) {
      return failedAnswer(error);
    } finally {
      channel.running--;
      this.#dropUnused();
    }
  }

  /** Questions on their way end as failures. */
  close(): void {
    this.#closed = true;
    for (const { resolver } of this.#channels) resolver.cancel();
  }

  #channel(): Channel {
    const isOld = this.#clock.nowMs() - this.#current.madeMs >= SYSTEM_SERVERS_HOLD_MS;
    if (isOld && this.#options.servers.length === 0) {
      this.#current = this.#open();
      this.#dropUnused();
    }
    return this.#current;
  }

  #open(): Channel {
    const { servers, timeoutMs = 2000, tries = 2 } = this.#options;
    const resolver = new Resolver({ timeout: timeoutMs, tries });
    if (servers.length > 0) resolver.setServers(servers);
    const channel = { resolver, madeMs: this.#clock.nowMs(), running: 0 };
    this.#channels.add(channel);
    return channel;
  }

  #dropUnused(): void {
    for (const channel of this.#channels) if (channel !== this.#current && channel.running === 0) this.#channels.delete(channel);
  }
}

function foundAnswer(records: readonly { readonly address: string; readonly ttl: number }[]): DnsAnswer {
  const found = records.flatMap(({ address: text, ttl }) => {
    const address = parseIpv4(text);
    return address === undefined ? [] : [{ address, ttlMs: ttl > LARGEST_TTL ? 0 : ttl * 1000 }];
  });
  return found.length > 0 ? { kind: 'found', records: found } : { kind: 'notFound' };
}

function failedAnswer(error: unknown): DnsAnswer {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'EUNKNOWN';
  return code === 'ENOTFOUND' || code === 'ENODATA' ? { kind: 'notFound' } : { kind: 'failure', code };
}
