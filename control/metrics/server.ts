/**
 * The HTTP listener Prometheus scrapes: GET and HEAD of /metrics and /metrics/flows, nothing else. Writes to no state; what a client may
 * cost is bounded in connections, header bytes, time and scrapes at once.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';

import type { ApiCounters } from '../api/api-counters';
import type { FlowState, StateSource } from '../api/state-source';
import { XmcastError } from '../errors';
import type { Log } from '../log';

import { renderApiMetrics } from './api-metrics';
import { FlowMetrics } from './flow-metrics';
import { FreshCounters } from './fresh-counters';
import { createProcessMetrics, type ProcessMetrics } from './registry';
import { renderRouterMetrics } from './router-metrics';

const MAX_CONNECTIONS = 64;
const MAX_SCRAPES = 8;
const MAX_HEADER_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5000;
const IDLE_TIMEOUT_MS = 65_000;
/** Less than a millisecond. */
const FLOWS_AT_ONCE = 256;
/** From the request to the last byte. A client that reads slower than this loses its connection, and with it our snapshot. */
const SCRAPE_TIMEOUT_MS = 30_000;

export interface MetricsServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly state: StateSource;
  /** Without it there is nothing about the API. */
  readonly api?: ApiCounters;
  readonly log: Log;
  /** Default 30 000 ms. */
  readonly scrapeTimeoutMs?: number;
}

export interface MetricsServer {
  readonly host: string;
  readonly port: number;
  /** Idempotent. Cuts scrapes under way. */
  close(): Promise<void>;
}

/** Rejects with XmcastError when the address cannot be had. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const scraper = new Scraper(options);
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => void scraper.answer(request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = IDLE_TIMEOUT_MS;
  await listen(server, options);
  server.on('error', (error) => options.log.warn({ err: error }, 'metrics listener cannot accept a connection'));
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return { host: options.host, port, close: () => (closed ??= closeServer(server)) };
}

function listen(server: Server, { host, port }: MetricsServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(host, port, error));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): XmcastError {
  const message = `listen for metrics on ${host}:${port}: ${cause.code ?? cause.message}`;
  if (cause.code === 'EADDRINUSE') {
    return new XmcastError('XM_ADDRESS_IN_USE', `${message}; another process has this port`, {
      hint: 'Stop it, or set metrics.listen to another port.',
      cause,
    });
  }
  if (cause.code === 'EACCES') {
    return new XmcastError('XM_PRIVILEGE', `${message}; ports below 1024 need CAP_NET_BIND_SERVICE`, {
      hint: 'Set metrics.listen to a port from 1024 on.',
      cause,
    });
  }
  return new XmcastError('XM_CONFIG', `${message}; no interface of this host has the address`, {
    hint: 'Set metrics.listen to an address of this host, or to 0.0.0.0 for all.',
    cause,
  });
}

/** Answers requests; holds what scrapes share. */
class Scraper {
  readonly #state: StateSource;
  readonly #api: ApiCounters | undefined;
  readonly #log: Log;
  readonly #timeoutMs: number;
  readonly #processMetrics: ProcessMetrics = createProcessMetrics();
  readonly #flowMetrics = new FlowMetrics();
  readonly #counters: FreshCounters;
  #underWay = 0;

  constructor({ state, api, log, scrapeTimeoutMs = SCRAPE_TIMEOUT_MS }: MetricsServerOptions) {
    this.#state = state;
    this.#api = api;
    this.#log = log;
    this.#timeoutMs = scrapeTimeoutMs;
    this.#counters = new FreshCounters(state, this.#processMetrics, log);
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== '/metrics' && path !== '/metrics/flows')
      return refuse(response, 404, 'Metrics are at /metrics and /metrics/flows.');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return refuse(response, 405, 'Only GET and HEAD.');
    }
    if (request.method === 'HEAD')
      return void response.writeHead(200, { 'Content-Type': this.#processMetrics.contentType }).end();
    if (this.#underWay >= MAX_SCRAPES) {
      this.#processMetrics.countRefusedScrape();
      return refuse(response, 503, 'Too many scrapes are under way.');
    }
    this.#underWay += 1;
    const deadline = setTimeout(() => response.destroy(), this.#timeoutMs);
    try {
      await this.#scrape(path === '/metrics', wantsGzip(request), response);
    } catch (error) {
      this.#scrapeFailed(error, response);
    } finally {
      clearTimeout(deadline);
      this.#underWay -= 1;
    }
  }

  async #scrape(whole: boolean, gzip: boolean, response: ServerResponse): Promise<void> {
    await this.#counters.read();
    if (response.destroyed) return;
    // Rendered before the first byte goes out, so that a failure is still a 500.
    const flows = await this.#flows();
    const head = whole ? await this.#head(flows.length) : '';
    const text = Readable.from(this.#pieces(head, flows), { objectMode: false, highWaterMark: 256 * 1024 });
    response.writeHead(200, {
      'Content-Type': this.#processMetrics.contentType,
      Vary: 'Accept-Encoding',
      ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
    });
    if (gzip) await pipeline(text, createGzip({ level: constants.Z_BEST_SPEED }), response);
    else await pipeline(text, response);
  }

  /** Each as it is when it is reached: there may be a hundred thousand, and others have their turn in between. */
  async #flows(): Promise<readonly FlowState[]> {
    const flows: FlowState[] = [];
    for (const flow of this.#state.flows()) {
      flows.push(flow);
      if (flows.length % FLOWS_AT_ONCE === 0) await nextTurn();
    }
    return flows;
  }

  async #head(flows: number): Promise<string> {
    const api = this.#api === undefined ? '' : renderApiMetrics(this.#api);
    return renderRouterMetrics(this.#state, flows) + api + (await this.#processMetrics.text());
  }

  async *#pieces(head: string, flows: readonly FlowState[]): AsyncGenerator<string, void> {
    if (head !== '') yield head;
    yield* this.#flowMetrics.render(flows);
  }

  #scrapeFailed(error: unknown, response: ServerResponse): void {
    // The client went away or was too slow: nothing is wrong here.
    if (response.headersSent && response.destroyed && isCut(error)) return;
    this.#log.error({ err: error }, 'scrape failed');
    if (response.headersSent) response.destroy();
    else refuse(response, 500, 'The scrape failed; the log of xmcastd has the reason.');
  }
}

function isCut(error: unknown): boolean {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_UNABLE_TO_PIPE'
  );
}

function wantsGzip(request: IncomingMessage): boolean {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  return accepted.split(',').some((entry) => /^\s*gzip\s*(;\s*q=(1(\.0*)?|0\.\d*[1-9]\d*)\s*)?$/i.test(entry));
}

function refuse(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
