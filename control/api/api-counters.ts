/**
 * What the API counts: calls by method and status, what it refused by reason, connections there are. Few series, whatever clients do.
 */
import { status } from '@grpc/grpc-js';

/** docs/metrics.md describes each; a test compares the two. */
export const REFUSAL_REASONS = [
  'bad_certificate',
  'connections',
  'handshake',
  'handshake_rate',
  'handshake_timeout',
  'http2',
  'malformed',
  'message_size',
  'no_certificate',
  'not_ready',
  'permission',
  'request_rate',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export const LISTENER_KINDS = ['unix', 'tls'] as const;
export type ListenerKind = (typeof LISTENER_KINDS)[number];

/** Of the own certificate of the TCP listeners. */
export interface CertificateState {
  /** As wall time. */
  readonly notAfterMs: number;
}

export interface RequestCount {
  readonly method: string;
  readonly code: string;
  readonly count: number;
}

export class ApiCounters {
  readonly #requests = new Map<string, Map<number, number>>();
  readonly #refused = new Map<RefusalReason, number>();
  readonly #connections: Record<ListenerKind, number> = { unix: 0, tls: 0 };
  certificate: CertificateState | undefined;
  failedCertificateReads = 0;

  /** `method`: of those that are registered, or the one for all others. */
  countRequest(method: string, code: status): void {
    const byCode = this.#requests.get(method) ?? new Map<number, number>();
    this.#requests.set(method, byCode.set(code, (byCode.get(code) ?? 0) + 1));
  }

  countRefusal(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  addConnections(kind: ListenerKind, difference: 1 | -1): void {
    this.#connections[kind] += difference;
  }

  get refused(): ReadonlyMap<RefusalReason, number> {
    return this.#refused;
  }

  get connections(): Readonly<Record<ListenerKind, number>> {
    return this.#connections;
  }

  requests(): RequestCount[] {
    return [...this.#requests].flatMap(([method, byCode]) =>
      [...byCode].map(([code, count]) => ({ method: method.slice(1), code: status[code] ?? String(code), count })),
    );
  }
}
