/**
 * The live view of the kernel's interfaces, IPv4 addresses and unicast routes: owns the rtnetlink socket, keeps an InterfaceTable
 * and tells listeners what changed. Lost notifications are normal: the tables are then dumped again and the difference is told.
 * Never writes to the kernel, never decides what a change means for the router.
 */
import type { NativeError } from '#bindings';
import { XmcastError } from '../errors';
import type { Ipv4 } from '../protocol/packet/address';
import { InterfaceTable, type KernelChange, type LinkState } from './interface-table';
import { encodeAddressDump } from './netlink/address';
import { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_LINK } from './netlink/constants';
import { decodeDatagram, type DecodedMessage, type KernelFact } from './netlink/decode';
import { encodeLinkDump } from './netlink/link';
import { encodeRouteDump } from './netlink/route';
import type { KernelRoute, UnicastChoice } from './route-table';
import { ALL_PARTS, TableDump, type DumpPart } from './table-dump';

/** What this view needs of the NetlinkSocket of the bindings. */
export interface NetlinkSocketLike {
  send(datagram: Uint8Array): void;
  close(): void;
}

export interface NetlinkSocketOptions {
  readonly groups: readonly number[];
  readonly receiveBufferBytes: number;
  readonly onMessage: (datagram: Uint8Array) => void;
  readonly onError: (error: NativeError) => void;
}

export interface KernelViewOptions {
  readonly openSocket: (options: NetlinkSocketOptions) => NetlinkSocketLike;
  /** Default 4 MiB: some ten thousand route notifications. */
  readonly receiveBufferBytes?: number;
}

export interface KernelViewStatistics {
  /** Times the kernel dropped notifications because they were not read fast enough. */
  readonly overruns: number;
  /** Readings of the tables after the first one, for whatever reason. */
  readonly resyncs: number;
  /** Readings during which the tables changed in a way that made them doubtful. */
  readonly doubtfulDumps: number;
  /** Messages that could not be read. */
  readonly malformed: number;
}

const DEFAULT_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const GROUPS: readonly number[] = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE];
const ENCODE_DUMP: Readonly<Record<DumpPart, (sequence: number) => Uint8Array>> = {
  link: encodeLinkDump,
  address: encodeAddressDump,
  route: encodeRouteDump,
};
const ROUTES_ONLY: readonly DumpPart[] = ['route'];

/** A silence this long in the middle of a dump means that its end will not come. */
const DUMP_TIMEOUT_MS = 10_000;
/** The kernel flushes routes after it has announced the cause: a dump asked for at once would still show them. */
const ROUTES_SETTLE_MS = 200;
/** So many doubtful dumps in a row are thrown away; then one is better than none, and the next try waits. */
const PROMPT_ATTEMPTS = 3;
const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 60_000;

/** Results of a non-blocking read that mean "nothing now". */
const HARMLESS_CODES: ReadonlySet<string> = new Set(['EINTR', 'EAGAIN', 'EWOULDBLOCK']);

/** Where a router hears of interfaces, addresses and unicast routes. */
export type LinkSource = Pick<KernelView, 'link' | 'linkByIndex' | 'lookupRoute' | 'onChanges' | 'close'>;

export class KernelView {
  readonly #options: KernelViewOptions;
  readonly #changeListeners = new Set<(changes: readonly KernelChange[]) => void>();
  readonly #errorListeners = new Set<(error: XmcastError) => void>();
  readonly #counts = { overruns: 0, resyncs: 0, doubtfulDumps: 0, malformed: 0 };
  #socket: NetlinkSocketLike | undefined;
  #table = new InterfaceTable();
  /** The reading under way. */
  #dump: TableDump | undefined;
  #sequence = 0;
  #dumpTimer: NodeJS.Timeout | undefined;
  /** The reading wanted next; [] none. */
  #wanted: readonly DumpPart[] = [];
  /** Runs while `#wanted` has to wait after a failure. */
  #wantedTimer: NodeJS.Timeout | undefined;
  /** Runs from the first event that made the routes uncertain. */
  #settleTimer: NodeJS.Timeout | undefined;
  /** More such events came while it ran. */
  #settleAgain = false;
  /** Readings in a row that failed or were doubtful. */
  #attempts = 0;
  /** Settles start(); undefined once it has been. */
  #starting: { readonly resolve: () => void; readonly reject: (error: XmcastError) => void } | undefined;
  #state: 'new' | 'starting' | 'running' | 'closed' = 'new';

  constructor(options: KernelViewOptions) {
    this.#options = options;
  }

  /** Resolves when the view is complete. Changes are told from then on; what is there at that moment is in links(). */
  start(): Promise<void> {
    if (this.#state !== 'new') return Promise.reject(new Error('KernelView.start: called twice, or after close'));
    this.#state = 'starting';
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      try {
        this.#socket = this.#options.openSocket({
          groups: GROUPS,
          receiveBufferBytes: this.#options.receiveBufferBytes ?? DEFAULT_RECEIVE_BUFFER_BYTES,
          onMessage: (datagram) => this.#onDatagram(datagram),
          onError: (error) => this.#onSocketError(error),
        });
      } catch (cause) {
        this.#fail(netlinkError('open the rtnetlink socket', cause));
        return;
      }
      this.#want(ALL_PARTS, 0);
    });
  }

  /** One call per datagram that changed something. Returns how to stop it. */
  onChanges(listener: (changes: readonly KernelChange[]) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Failures after start(). The view keeps what it has and tries again by itself. */
  onError(listener: (error: XmcastError) => void): () => void {
    this.#errorListeners.add(listener);
    return () => this.#errorListeners.delete(listener);
  }

  get statistics(): KernelViewStatistics {
    return { ...this.#counts };
  }

  link(name: string): LinkState | undefined {
    return this.#table.link(name);
  }

  linkByIndex(ifindex: number): LinkState | undefined {
    return this.#table.linkByIndex(ifindex);
  }

  links(): readonly LinkState[] {
    return this.#table.links();
  }

  lookupRoute(address: Ipv4): KernelRoute | undefined {
    return this.#table.lookupRoute(address);
  }

  /** For every prefix of the main table. */
  routeChoices(): Iterable<UnicastChoice> {
    return this.#table.routeChoices();
  }

  /** No listener is called after this. A start() under way is rejected. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopDumpTimer();
    clearTimeout(this.#wantedTimer);
    clearTimeout(this.#settleTimer);
    this.#dump = undefined;
    this.#changeListeners.clear();
    this.#errorListeners.clear();
    this.#socket?.close();
    this.#starting?.reject(netlinkError('read interfaces: the view was closed', undefined));
    this.#starting = undefined;
  }

  // ---------------------------------------------------------------- input

  #onDatagram(datagram: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#dumpTimer?.refresh();
    const { messages, malformed } = decodeDatagram(datagram);
    const changes: KernelChange[] = [];
    for (const message of messages) changes.push(...this.#take(message));
    if (malformed > 0) {
      this.#counts.malformed += malformed;
      this.#onLoss();
    }
    this.#emit(changes);
  }

  #take({ content, sequence, multipart, dumpInterrupted }: DecodedMessage): readonly KernelChange[] {
    const dump = sequence === this.#sequence ? this.#dump : undefined;
    if (multipart && dumpInterrupted) dump?.markDoubtful();
    switch (content.kind) {
      case 'done':
        if (dump === undefined || !multipart) return [];
        return content.errno === 0 ? this.#finishPart(dump) : this.#abandonDump(`errno ${content.errno}`);
      case 'error':
        return dump === undefined || content.errno === 0 ? [] : this.#abandonDump(`errno ${content.errno}`);
      case 'overrun':
        this.#counts.overruns += 1;
        this.#onLoss();
        return [];
      case 'ignored':
        return [];
      case 'link':
      case 'address':
      case 'route':
        // Parts of a dump that was given up say nothing that is still wanted.
        if (!multipart) return this.#takeEvent(content);
        dump?.takeDumped(content);
        return [];
    }
  }

  #takeEvent(fact: KernelFact): readonly KernelChange[] {
    this.#dump?.takeEvent(fact);
    if (this.#state !== 'running') return [];
    const { changes, routesUncertain } = this.#table.apply(fact, 'event');
    if (routesUncertain) this.#readRoutesOnceSettled();
    return changes;
  }

  #onSocketError(error: NativeError): void {
    if (this.#state === 'closed' || HARMLESS_CODES.has(error.code)) return;
    if (error.code === 'ENOBUFS') {
      this.#counts.overruns += 1;
      this.#onLoss();
      return;
    }
    this.#fail(netlinkError('read from the rtnetlink socket', error));
  }

  /** Notifications are missing: the table in use and a reading under way are both doubtful. */
  #onLoss(): void {
    this.#dump?.markDoubtful();
    // The reading under way ends first: the kernel refuses a second one on the same socket (EBUSY).
    if (this.#dump === undefined) this.#want(ALL_PARTS, this.#attempts === 0 ? 0 : this.#backoffMs());
    else this.#wanted = ALL_PARTS;
  }

  // ---------------------------------------------------------------- dumps

  /** Asks for a reading after `delayMs`; a wider or earlier one takes the place of one already asked for. */
  #want(parts: readonly DumpPart[], delayMs: number): void {
    if (this.#state === 'closed') return;
    if (parts.length > this.#wanted.length) this.#wanted = parts;
    if (delayMs > 0) {
      this.#wantedTimer ??= setTimeout(() => this.#startWanted(), delayMs);
      return;
    }
    this.#startWanted();
  }

  #startWanted(): void {
    clearTimeout(this.#wantedTimer);
    this.#wantedTimer = undefined;
    if (this.#dump !== undefined || this.#wanted.length === 0) return;
    const parts = this.#wanted;
    this.#wanted = [];
    if (this.#state === 'running') this.#counts.resyncs += 1;
    this.#dump = new TableDump(parts === ALL_PARTS ? new InterfaceTable() : this.#table.withoutRoutes(), parts);
    this.#requestPart(this.#dump);
  }

  /** Reads the routes a while after each uncertain event; events in close succession share the readings. */
  #readRoutesOnceSettled(): void {
    if (this.#settleTimer !== undefined) {
      this.#settleAgain = true;
      return;
    }
    this.#settleTimer = setTimeout(() => {
      this.#settleTimer = undefined;
      if (this.#settleAgain) {
        this.#settleAgain = false;
        this.#readRoutesOnceSettled();
      }
      this.#want(ROUTES_ONLY, 0);
    }, ROUTES_SETTLE_MS);
  }

  #requestPart({ part }: TableDump): void {
    if (part === undefined) return;
    // A number of its own for each part: a late answer to an abandoned one is told from the present one.
    this.#sequence = (this.#sequence % 0x7fffffff) + 1;
    this.#stopDumpTimer();
    this.#dumpTimer = setTimeout(() => void this.#abandonDump(`no answer within ${DUMP_TIMEOUT_MS} ms`), DUMP_TIMEOUT_MS);
    try {
      this.#socket?.send(ENCODE_DUMP[part](this.#sequence));
    } catch (cause) {
      this.#abandonDump('the request could not be sent', cause);
    }
  }

  #finishPart(dump: TableDump): readonly KernelChange[] {
    dump.finishPart();
    if (dump.part !== undefined) {
      this.#requestPart(dump);
      return [];
    }
    this.#stopDumpTimer();
    this.#dump = undefined;
    if (!dump.doubtful) {
      this.#attempts = 0;
      return this.#adopt(dump.table);
    }
    this.#counts.doubtfulDumps += 1;
    this.#attempts += 1;
    if (this.#attempts < PROMPT_ATTEMPTS) {
      this.#want(dump.parts, 0);
      return [];
    }
    this.#want(dump.parts, this.#backoffMs());
    return this.#adopt(dump.table);
  }

  /** Puts the reading in the place of the table in use. */
  #adopt(table: InterfaceTable): readonly KernelChange[] {
    const previous = this.#table;
    this.#table = table;
    if (this.#wantedTimer === undefined) this.#startWanted();
    if (this.#state !== 'starting') return previous.changesTo(table);
    this.#state = 'running';
    this.#starting?.resolve();
    this.#starting = undefined;
    return [];
  }

  /** The reading failed: keep the table in use, try again later. */
  #abandonDump(reason: string, cause?: unknown): readonly KernelChange[] {
    const dump = this.#dump;
    if (dump === undefined) return [];
    this.#stopDumpTimer();
    this.#dump = undefined;
    this.#fail(netlinkError(`dump ${dump.part ?? 'kernel'} table over rtnetlink: ${reason}`, cause));
    return [];
  }

  #stopDumpTimer(): void {
    clearTimeout(this.#dumpTimer);
    this.#dumpTimer = undefined;
  }

  #backoffMs(): number {
    return Math.min(FIRST_BACKOFF_MS * 2 ** this.#attempts, LONGEST_BACKOFF_MS);
  }

  // ---------------------------------------------------------------- output

  #emit(changes: readonly KernelChange[]): void {
    if (changes.length === 0) return;
    const others = changes.filter((change) => change.kind !== 'routes-changed');
    const once: readonly KernelChange[] = others.length < changes.length ? [...others, { kind: 'routes-changed' }] : others;
    for (const listener of [...this.#changeListeners]) {
      if (this.#changeListeners.has(listener)) listener(once);
    }
  }

  /** Before the view is complete a failure is final; afterwards it is told, and everything is read again after a while. */
  #fail(error: XmcastError): void {
    if (this.#starting !== undefined) {
      const { reject } = this.#starting;
      this.#starting = undefined;
      this.close();
      reject(error);
      return;
    }
    this.#attempts += 1;
    if (this.#dump === undefined) this.#want(ALL_PARTS, this.#backoffMs());
    else this.#onLoss();
    for (const listener of [...this.#errorListeners]) listener(error);
  }
}

function netlinkError(attempt: string, cause: unknown): XmcastError {
  const detail = cause instanceof Error ? `: ${'code' in cause ? `${String(cause.code)}; ` : ''}${cause.message}` : '';
  return new XmcastError('XM_NETLINK', `${attempt}${detail}`, {
    hint: 'Check that AF_NETLINK is allowed (RestrictAddressFamilies, seccomp) and that memory for socket buffers is left.',
    cause,
  });
}
