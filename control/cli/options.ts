/**
 * Reads the values of command-line options. A bad value is a usage failure that names option and value.
 */
import { InvalidArgumentError } from 'commander';
import { isIPv4 } from 'node:net';

import type { OutputFormat } from './output';

export const DEFAULT_TARGET = 'unix:///run/xmcast/control.sock';

export interface GlobalOptions {
  readonly output: OutputFormat;
  readonly target: string;
  readonly timeout: number;
  /** Files in PEM; of targets on TCP. */
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

export interface WatchOption {
  /** true: the flag without a value. */
  readonly watch?: number | true;
}

export interface Target {
  /** As gRPC takes it. */
  readonly name: string;
  /** As connect(2) takes it. */
  readonly place: { readonly path: string } | { readonly host: string; readonly port: number };
}

/** Of "unix:///path", "unix:path", "host:port" or "[address]:port". */
export function readTarget(text: string): Target {
  const path = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(text)?.[1];
  if (path !== undefined && !path.startsWith('//')) return { name: `unix:${path}`, place: { path } };
  const [, bracketed, plain, port = ''] = /^(?:dns:\/\/\/)?(?:\[([0-9a-f:.%]+)\]|([a-z0-9.-]+)):([0-9]{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || text.startsWith('unix:') || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError(`"${text}" is no target: write unix:///path, e.g. ${DEFAULT_TARGET}, or host:port.`);
  }
  return { name: text, place: { host, port: Number(port) } };
}

/** Checks the form and keeps the text, which is what gRPC takes. */
export function parseTarget(text: string): string {
  return readTarget(text).name;
}

/** "5", "2.5" or "500ms"; milliseconds. */
export function parseSeconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text);
  const ms = match === null ? Number.NaN : Number(match[1]) * (match[2] === 'ms' ? 1 : 1000);
  if (!(ms >= 1 && ms <= 3_600_000)) throw new InvalidArgumentError(`"${text}" is no time from 1ms to 3600s.`);
  return ms;
}

/** "true" or "false". */
export function parseBoolean(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new InvalidArgumentError(`"${text}" is neither true nor false.`);
}

/** One IPv4 address, no prefix. */
export function parseAddress(text: string): string {
  if (!isIPv4(text)) throw new InvalidArgumentError(`"${text}" is no IPv4 address.`);
  return text;
}
