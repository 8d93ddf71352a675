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
}

export interface WatchOption {
  /** true: the flag without a value. */
  readonly watch?: number | true;
}

/** The path of "unix:///path" or "unix:path"; the API has no other listener. */
export function socketPathOf(target: string): string {
  const match = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(target);
  const path = match?.[1];
  if (path === undefined || path.startsWith('//')) {
    throw new InvalidArgumentError(`"${target}" is no socket: write unix:///path, e.g. ${DEFAULT_TARGET}.`);
  }
  return path;
}

/** Checks the form and keeps the text, which is what gRPC takes. */
export function parseTarget(text: string): string {
  return `unix:${socketPathOf(text)}`;
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
