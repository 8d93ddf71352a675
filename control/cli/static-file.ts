/**
 * A file of static entries: `static_routes` as in the configuration, and `static_memberships` with interface, group and sources. YAML, and
 * so JSON.
 */
import { parse } from 'yaml';

import type { xmcast } from '#proto';

import { CliFailure, EXIT } from './failure';
import { messageFromJson } from './proto-json';

type Entry = xmcast.v1.StaticEntry.$Properties;

const KINDS = {
  static_routes: { property: 'route', type: 'xmcast.v1.StaticRoute' },
  static_memberships: { property: 'membership', type: 'xmcast.v1.StaticMembership' },
} as const;
type Section = keyof typeof KINDS;

export interface StaticFile {
  readonly entries: readonly Entry[];
  /** Where each of them is in the file: static_routes[3]. */
  readonly paths: readonly string[];
}

export function parseStaticFile(name: string, text: string): StaticFile {
  const document = parseText(name, text);
  const entries: Entry[] = [];
  const paths: string[] = [];
  for (const [section, list] of Object.entries(document)) {
    if (!(section in KINDS)) throw unusable(name, `"${section}" is neither static_routes nor static_memberships`);
    if (list === null) continue;
    if (!Array.isArray(list)) throw unusable(name, `${section} is no list`);
    const { property, type } = KINDS[section as Section];
    for (const [index, item] of (list as unknown[]).entries()) {
      const path = `${section}[${index}]`;
      entries.push({ [property]: readEntry(name, path, type, item) });
      paths.push(path);
    }
  }
  return { entries, paths };
}

/** `field`: of the daemon, upserts[3].route.group. */
export function pathInFile(field: string, paths: readonly string[]): string {
  const [, index, rest = ''] = /^upserts\[(\d+)\](?:\.(?:route|membership))?(.*)$/.exec(field) ?? [];
  return index === undefined ? field : `${paths[Number(index)] ?? field}${rest}`;
}

function parseText(name: string, text: string): object {
  let document: unknown;
  try {
    document = parse(text, { version: '1.2', schema: 'core' });
  } catch (error) {
    throw unusable(name, error instanceof Error ? error.message : String(error));
  }
  if (document === null || document === undefined) return {};
  if (typeof document !== 'object' || Array.isArray(document)) throw unusable(name, 'no mapping with static_routes and static_memberships');
  return document;
}

function readEntry(name: string, path: string, type: string, item: unknown): object {
  try {
    return messageFromJson(type, item);
  } catch (error) {
    throw unusable(name, `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function unusable(name: string, reason: string): CliFailure {
  return new CliFailure(EXIT.usage, `${name}: ${reason}`);
}
