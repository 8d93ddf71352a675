/**
 * Interfaces, addresses and unicast routes of the machine of the data plane, as it tells them. Without a connection what was told last holds:
 * the forwarder goes on by it too.
 */
import { Metadata, type Client, type ClientReadableStream } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { InterfaceTable, type KernelChange, type KernelRoute, type LinkState } from '../kernel/interface-table';
import type { LinkSource } from '../kernel/kernel-view';
import type { Ipv4 } from '../protocol/packet/address';
import { dataplaneServiceDefinition } from './definition';
import { openClient, type DataplaneAddress } from './open-client';
import { tableOf } from './wire-links';

type Piece = xmcast.v1.WatchLinksResponse.$Properties;

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;

export class RemoteLinks implements LinkSource {
  readonly #address: DataplaneAddress;
  readonly #listeners = new Set<(changes: readonly KernelChange[]) => void>();
  readonly #waiting = new Set<() => void>();
  #table = new InterfaceTable();
  #links: readonly xmcast.v1.Link.$Properties[] = [];
  #routes: readonly xmcast.v1.UnicastRoute.$Properties[] = [];
  /** Pieces of a list of routes that is not whole yet. */
  #incoming: xmcast.v1.UnicastRoute.$Properties[] = [];
  #isComplete = false;
  #connected: { readonly client: Client; readonly call: ClientReadableStream<Piece> } | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(address: DataplaneAddress) {
    this.#address = address;
  }

  static open(address: DataplaneAddress): RemoteLinks {
    const links = new RemoteLinks(address);
    links.#connect();
    return links;
  }

  /** Resolves when everything has been told once, or when so much time is over. */
  whenComplete(timeoutMs: number): Promise<void> {
    if (this.#isComplete) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  link(name: string): LinkState | undefined {
    return this.#table.link(name);
  }

  linkByIndex(ifindex: number): LinkState | undefined {
    return this.#table.linkByIndex(ifindex);
  }

  lookupRoute(address: Ipv4): KernelRoute | undefined {
    return this.#table.lookupRoute(address);
  }

  onChanges(listener: (changes: readonly KernelChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#listeners.clear();
    this.#disconnect();
  }

  #connect(): void {
    const client = this.#openClient();
    if (client === undefined) return this.#later();
    const { path, requestSerialize, responseDeserialize } = dataplaneServiceDefinition.watchLinks;
    const call: ClientReadableStream<Piece> = client.makeServerStreamRequest(path, requestSerialize as never, responseDeserialize, {}, new Metadata(), {});
    this.#connected = { client, call };
    call.on('data', (piece: Piece) => this.#take(piece));
    call.on('error', () => this.#again(call));
    call.on('end', () => this.#again(call));
  }

  /** Why is told by whoever drives the same data plane. */
  #again(call: ClientReadableStream<Piece>): void {
    if (this.#connected?.call !== call || this.#closed) return;
    this.#disconnect();
    this.#incoming = [];
    this.#later();
  }

  #later(): void {
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  #openClient(): Client | undefined {
    try {
      return openClient(this.#address);
    } catch {
      // Its certificates: whoever drives the same data plane says so.
      return undefined;
    }
  }

  #disconnect(): void {
    const connected = this.#connected;
    this.#connected = undefined;
    // A closed client lets streams live.
    connected?.call.cancel();
    connected?.client.close();
  }

  #take({ links, linksChanged, routes, routesChanged, routesEnd }: Piece): void {
    this.#retryMs = FIRST_RETRY_MS;
    if (linksChanged === true) this.#links = links ?? [];
    if (routesChanged === true) for (const route of routes ?? []) this.#incoming.push(route);
    if (routesEnd === true) {
      this.#routes = this.#incoming;
      this.#incoming = [];
      this.#isComplete = true;
    }
    if (linksChanged === true || routesEnd === true) this.#adopt();
  }

  #adopt(): void {
    const previous = this.#table;
    this.#table = tableOf(this.#links, this.#routes);
    const changes = previous.changesTo(this.#table);
    if (changes.length > 0) for (const listener of [...this.#listeners]) listener(changes);
    if (!this.#isComplete) return;
    for (const tell of this.#waiting) tell();
    this.#waiting.clear();
  }
}
