/**
 * xmcastd started as it is found in the tree, without waiting for anything: for tests of its start, its end and its environment.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { inLabMode, type DaemonConfig } from '../lab/daemon';
import type { LabProcess } from '../lab/lab-process';
import type { Namespace } from '../lab/namespace';
import { inRepository } from '../lab/repository';
import type { Star } from '../lab/star';

export const XMCASTD = inRepository('deploy/bin/xmcastd');

export interface LaunchOptions {
  /** Sections beside or in place of the usual ones, by which a stop leaves nothing. Text is the whole file. */
  readonly config?: Readonly<Record<string, unknown>> | string;
  /** Arguments after --config. */
  readonly extra?: readonly string[];
  /** What starts the daemon: gets its command line as arguments. */
  readonly through?: readonly string[];
  /** Default: the router of the star. */
  readonly where?: Namespace;
  readonly env?: Readonly<Record<string, string>>;
}

export interface LaunchPaths {
  readonly socketPath: string;
  readonly pinPath: string;
}

let serial = 0;

export function launchDaemon(star: Star, options: LaunchOptions & LaunchPaths): LabProcess {
  const argv = [...(options.through ?? []), XMCASTD, '--config', writeConfig(star, options), ...(options.extra ?? [])];
  return star.lab.spawn(options.where ?? star.router, argv, { name: 'xmcastd', env: options.env ?? {} });
}

function writeConfig(star: Star, { config, socketPath, pinPath }: LaunchOptions & LaunchPaths): string {
  const file = join(star.lab.directory, `xmcastd-${++serial}.yaml`);
  const usual = { ...star.config, dataplane: { pin_path: pinPath, keep_on_stop: false }, api: { socket: socketPath } };
  writeFileSync(file, typeof config === 'string' ? config : stringify(complete({ ...usual, ...config })));
  return file;
}

function complete<Document extends Pick<DaemonConfig, 'interfaces'>>(document: Document): Document {
  return { ...document, interfaces: inLabMode(document.interfaces) };
}

/** The id of the XDP program on an interface; undefined when there is none. */
export async function xdpProgramOn(namespace: Namespace, name: string): Promise<number | undefined> {
  const text = await namespace.run(['ip', '-j', 'link', 'show', 'dev', name]);
  const [link] = JSON.parse(text) as [{ readonly xdp?: { readonly prog?: { readonly id?: number } } }];
  return link.xdp?.prog?.id;
}
