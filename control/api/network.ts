/**
 * The API over TCP as the configuration has it: listeners, certificates, roles and limits, each changed while it runs.
 */
import { performance } from 'node:perf_hooks';
import type { TLSSocket } from 'node:tls';

import type { ApiLimits, ApiSettings, Role } from '../config/api-settings';
import { errorText } from '../errors';
import type { Log } from '../log';

import { roleFinder } from './access';
import type { Caller } from './admission';
import type { ApiCounters } from './api-counters';
import type { Connections } from './connections';
import type { Refusals } from './refusals';
import { TlsListener, type TlsPeer } from './tls-listener';
import type { TlsMaterial } from './tls-material';
import { TlsRotation } from './tls-rotation';
import { TokenBucket } from './token-bucket';

export interface NetworkSettings extends Pick<ApiSettings, 'listen' | 'tls' | 'roles'> {
  readonly limits: Pick<ApiLimits, 'connections' | 'connectionsPerClient' | 'requestsPerSecond'>;
}

export interface NetworkOptions {
  readonly connections: Connections;
  readonly counters: ApiCounters;
  readonly refusals: Refusals;
  readonly log: Log;
}

const NOTHING: NetworkSettings = {
  listen: [],
  tls: undefined,
  roles: [],
  limits: { connections: 0, connectionsPerClient: 0, requestsPerSecond: 1 },
};
const EXPIRY_LOOK_MS = 1000;

export class Network {
  readonly #options: NetworkOptions;
  readonly #listener: TlsListener;
  readonly #expiry: NodeJS.Timeout;
  /** The calls of each client that is connected, over all its connections. */
  readonly #buckets = new Map<string, TokenBucket>();
  #settings = NOTHING;
  #findRole = roleFinder([]);
  #rotation: TlsRotation | undefined;
  #trust: string | undefined;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#listener = new TlsListener({
      onConnection: (socket, peer) => this.#connected(socket, peer),
      onRefused: (reason, address, detail) => options.refusals.count(reason, address, detail),
      onError: (error) => options.log.warn({ err: error }, 'API listener cannot accept a connection'),
      nowMs: () => performance.now(),
    });
    this.#expiry = setInterval(() => this.#dropExpired(), EXPIRY_LOOK_MS).unref();
  }

  /** For SystemService: what an operator should look at. */
  conditions(): string[] {
    const condition = this.#rotation?.condition;
    return condition === undefined ? [] : [condition];
  }

  /**
   * Rejects with XmcastError when an address cannot be had. Certificates that are no good do not keep the router from its work: nobody can
   * connect until they are.
   */
  async start(settings: NetworkSettings): Promise<void> {
    this.#adoptRules(settings);
    if (settings.tls !== undefined && settings.listen.length > 0) {
      this.#rotation = this.#rotationOf(settings.tls);
      await this.#rotation.startAnyway();
    }
    await this.#listener.listen(settings.listen);
    this.#settings = settings;
    this.#say();
  }

  /** Rejects with XmcastError, also for certificates that are no good: then everything is as before. */
  async follow(settings: NetworkSettings): Promise<void> {
    const before = this.#settings;
    const isListening = settings.listen.length > 0;
    const tls = isListening ? settings.tls : undefined;
    const tlsBefore = before.listen.length > 0 ? before.tls : undefined;
    const changesTls = JSON.stringify(tls) !== JSON.stringify(tlsBefore);
    const next = changesTls && tls !== undefined ? this.#rotationOf(tls) : undefined;
    await next?.start();
    if (JSON.stringify(settings.listen) !== JSON.stringify(before.listen)) {
      try {
        await this.#listener.listen(settings.listen);
      } catch (error) {
        await next?.close();
        if (this.#rotation === undefined) this.#options.counters.certificate = undefined;
        if (this.#rotation?.material !== undefined) this.#useMaterial(this.#rotation.material);
        await this.#listener.listen(before.listen).catch((again: unknown) => this.#options.log.error({}, errorText(again)));
        throw error;
      }
    }
    if (changesTls) {
      await this.#rotation?.close();
      this.#rotation = next;
    }
    this.#adoptRules(settings);
    this.#settings = settings;
    if (!isListening) void this.#options.connections.drain('tls');
    this.#say();
  }

  /** Connections are their holder's to close. */
  async close(): Promise<void> {
    clearInterval(this.#expiry);
    await this.#rotation?.close();
    this.#listener.close();
  }

  #say(): void {
    const { log, counters } = this.#options;
    if (this.#rotation === undefined) counters.certificate = undefined;
    for (const { host, port } of this.#settings.listen) log.info({ host, port }, 'API over TLS');
  }

  #adoptRules({ roles, limits }: NetworkSettings): void {
    this.#findRole = roleFinder(roles);
    for (const bucket of this.#buckets.values()) bucket.setRate(limits.requestsPerSecond);
  }

  #rotationOf(files: NonNullable<NetworkSettings['tls']>): TlsRotation {
    const { log, counters } = this.#options;
    return new TlsRotation({
      files,
      log,
      onMaterial: (material) => this.#useMaterial(material),
      onFailure: () => counters.failedCertificateReads++,
      nowMs: Date.now,
    });
  }

  #useMaterial(material: TlsMaterial): void {
    this.#options.counters.certificate = { notAfterMs: material.notAfterMs };
    this.#listener.setMaterial(material);
    // Authorities or revocations are others: whoever is connected has to show a certificate that holds under them.
    if (this.#trust !== undefined && this.#trust !== material.trust) void this.#options.connections.drain('tls');
    this.#trust = material.trust;
  }

  #connected(socket: TLSSocket, peer: TlsPeer): void {
    const { connections, refusals } = this.#options;
    const { limits } = this.#settings;
    const [name] = peer.names;
    if (connections.count('tls') >= limits.connections || connections.count('tls', name) >= limits.connectionsPerClient) {
      socket.on('error', () => undefined);
      refusals.count('connections', name, peer.address);
      socket.destroy();
      return;
    }
    connections.adopt(socket, { kind: 'tls', caller: this.#callerOf(peer), notAfterMs: peer.notAfterMs });
    // After it has gone from the connections.
    socket.once('close', () => {
      if (connections.count('tls', name) === 0) this.#buckets.delete(name);
    });
  }

  #callerOf({ names }: TlsPeer): Caller {
    const [name] = names;
    const bucket = this.#buckets.get(name) ?? new TokenBucket(this.#settings.limits.requestsPerSecond, performance.now());
    this.#buckets.set(name, bucket);
    // Rules are followed by connections that are there already.
    const role = (): Role | undefined => this.#findRole(names);
    return { name, role, takeRequest: () => bucket.take(performance.now()) };
  }

  #dropExpired(): void {
    const nowMs = Date.now();
    void this.#options.connections.drain('tls', ({ notAfterMs }) => notAfterMs !== undefined && notAfterMs <= nowMs);
  }
}
