/**
 * TCP with certificates on both ends, TLS 1.3 and HTTP/2: hands over connections whose client has shown a certificate that we trust. Bounds
 * what strangers may cost before that: handshakes under way, their rate, their time. Knows nothing of roles.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';

import type { ListenAddress } from '../config/listen';
import { errorCode, XmcastError } from '../errors';

import type { RefusalReason } from './api-counters';
import { certificateNames } from './certificate-names';
import type { TlsMaterial } from './tls-material';
import { TokenBucket } from './token-bucket';

const HANDSHAKE_TIMEOUT_MS = 5000;
/** A handshake costs us about a millisecond of the event loop. */
const HANDSHAKES_PER_SECOND = 100;
const HANDSHAKES_PER_SECOND_OF_ADDRESS = 20;
const MAX_HANDSHAKES = 64;
const MAX_HANDSHAKES_OF_ADDRESS = 16;
/** Addresses whose rate is remembered; the oldest is forgotten first. */
const MAX_ADDRESSES = 4096;

export interface TlsPeer {
  /** As rules match them; never empty: the last resort is the fingerprint. */
  readonly names: readonly [string, ...string[]];
  readonly address: string;
  /** When its certificate ends, as wall time. */
  readonly notAfterMs: number;
}

export interface TlsListenerOptions {
  readonly onConnection: (socket: TLSSocket, peer: TlsPeer) => void;
  readonly onRefused: (reason: RefusalReason, address: string, detail: string) => void;
  /** accept(2) failed, e.g. EMFILE. The listener stays. */
  readonly onError: (error: Error) => void;
  /** Monotonic. */
  readonly nowMs: () => number;
}

interface Stranger {
  readonly bucket: TokenBucket;
  handshakes: number;
}

export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #tls: TlsServer;
  #servers: readonly Server[] = [];
  #hasMaterial = false;
  #handshakes = 0;
  readonly #bucket: TokenBucket;
  readonly #strangers = new Map<string, Stranger>();
  /** Sockets whose handshake is not over. */
  readonly #pending = new Set<Socket>();
  /** By endpointOf(): a TLS socket does not tell which socket it was made of. */
  readonly #handshakeEnds = new Map<string, () => void>();

  constructor(options: TlsListenerOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(HANDSHAKES_PER_SECOND, options.nowMs());
    this.#tls = createTlsServer({
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.3',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#tls.on('tlsClientError', (error, socket) => this.#refuse(error, socket));
    this.#tls.on('secureConnection', (socket) => this.#accept(socket));
  }

  /** For handshakes from now on. */
  setMaterial({ context }: TlsMaterial): void {
    this.#tls.setSecureContext(context);
    this.#hasMaterial = true;
  }

  /** Listens on these and no others. Rejects with XmcastError: then it listens on none. Connections made live on. */
  async listen(addresses: readonly ListenAddress[]): Promise<void> {
    this.#closeServers();
    const servers: Server[] = [];
    this.#servers = servers;
    try {
      for (const address of addresses) servers.push(await this.#bind(address));
    } catch (error) {
      this.#closeServers();
      throw error;
    }
  }

  /** Connections handed over are their holder's. */
  close(): void {
    this.#closeServers();
    for (const socket of this.#pending) socket.destroy();
  }

  #bind({ host, port }: ListenAddress): Promise<Server> {
    const server = createServer((socket) => this.#admit(socket));
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(listenError(host, port, error)));
      server.listen({ host, port, backlog: 128 }, () => {
        server.removeAllListeners('error');
        server.on('error', this.#options.onError);
        resolve(server);
      });
    });
  }

  /** The addresses are free at once; close() calls back when the last connection is gone, which is not waited for. */
  #closeServers(): void {
    for (const server of this.#servers) server.close();
    this.#servers = [];
  }

  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? 'unknown';
    // Errors before the TLS socket listens for them: nothing is lost with the connection.
    socket.on('error', () => undefined);
    const reason = this.#refusalOf(address);
    if (reason !== undefined) {
      this.#options.onRefused(reason, address, '');
      socket.destroy();
      return;
    }
    this.#begin(socket, address);
    this.#tls.emit('connection', socket);
  }

  #refusalOf(address: string): RefusalReason | undefined {
    if (!this.#hasMaterial) return 'not_ready';
    const stranger = this.#strangerAt(address);
    const nowMs = this.#options.nowMs();
    if (this.#handshakes >= MAX_HANDSHAKES || stranger.handshakes >= MAX_HANDSHAKES_OF_ADDRESS) return 'handshake_rate';
    // The address first: one that is too fast must not use up what all have together.
    return stranger.bucket.take(nowMs) && this.#bucket.take(nowMs) ? undefined : 'handshake_rate';
  }

  #strangerAt(address: string): Stranger {
    const known = this.#strangers.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#strangers.keys();
    if (this.#strangers.size >= MAX_ADDRESSES && oldest !== undefined) this.#strangers.delete(oldest);
    const stranger = { bucket: new TokenBucket(HANDSHAKES_PER_SECOND_OF_ADDRESS, this.#options.nowMs()), handshakes: 0 };
    this.#strangers.set(address, stranger);
    return stranger;
  }

  /** Until the handshake is over, or the connection is gone. */
  #begin(socket: Socket, address: string): void {
    const stranger = this.#strangerAt(address);
    this.#handshakes++;
    stranger.handshakes++;
    this.#pending.add(socket);
    const end = (): void => {
      if (!this.#pending.delete(socket)) return;
      this.#handshakes--;
      stranger.handshakes--;
    };
    const key = endpointOf(socket);
    this.#handshakeEnds.set(key, end);
    socket.once('close', () => {
      end();
      if (this.#handshakeEnds.get(key) === end) this.#handshakeEnds.delete(key);
    });
  }

  /** Node tells of a certificate it does not trust by hanging up, and leaves a connection whose time is over open. */
  #refuse(error: Error, socket: TLSSocket): void {
    const address = socket.remoteAddress ?? 'unknown';
    const [reason, detail] = reasonOf(error, socket);
    this.#options.onRefused(reason, address, detail);
    socket.destroy();
  }

  #accept(socket: TLSSocket): void {
    const address = socket.remoteAddress ?? 'unknown';
    this.#handshakeEnds.get(endpointOf(socket))?.();
    if (socket.alpnProtocol !== 'h2') {
      socket.on('error', () => undefined);
      this.#options.onRefused('http2', address, 'the client did not ask for HTTP/2 (ALPN h2)');
      socket.destroy();
      return;
    }
    const certificate = socket.getPeerCertificate();
    const [first = `SHA256=${certificate.fingerprint256}`, ...others] = certificateNames(certificate);
    this.#options.onConnection(socket, { names: [first, ...others], address, notAfterMs: Date.parse(certificate.valid_to) });
  }
}

function endpointOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function reasonOf(error: Error, { authorizationError }: TLSSocket): readonly [RefusalReason, string] {
  const code = errorCode(error);
  // Typed as an Error, and is a code of OpenSSL's verification, such as CERT_REVOKED.
  const untrusted: unknown = authorizationError;
  if (untrusted) return ['bad_certificate', String(untrusted)];
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return ['no_certificate', ''];
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return ['handshake_timeout', ''];
  return ['handshake', code];
}

function listenError(host: string, port: number, cause: Error): XmcastError {
  const code = errorCode(cause) || cause.message;
  const message = `listen for the API on ${host}:${port}: ${code}`;
  if (code === 'EADDRINUSE') {
    return new XmcastError('XM_ADDRESS_IN_USE', `${message}; another process has this port`, {
      hint: 'Stop it, or set api.listen to another port.',
      cause,
    });
  }
  if (code === 'EACCES') {
    return new XmcastError('XM_PRIVILEGE', `${message}; ports below 1024 need CAP_NET_BIND_SERVICE`, {
      hint: 'Set api.listen to a port from 1024 on.',
      cause,
    });
  }
  return new XmcastError('XM_CONFIG', `${message}; no interface of this host has the address`, {
    hint: 'Set api.listen to an address of this host, or to 0.0.0.0 or [::] for all.',
    cause,
  });
}
