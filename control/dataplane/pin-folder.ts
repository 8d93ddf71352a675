/**
 * The folder on a bpffs that holds one daemon's pins: found or mounted, locked, left behind or removed at the end. The lock is what
 * refuses a second controller over the same data plane.
 *
 *     link_7, link_7_tc, filter_7    what keeps the programs attached to a device (by ifindex)
 *     current → 2                    the generation in use: written last, by renaming, so that there is always a whole one
 *     2/xm_routes …                  maps and observers of a generation; 2/groups/17: replication groups by index
 */
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, rmdirSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BpfLink, BpfMap, detachTcFilter, FileLock, isBpffs, mountBpffs } from '#bindings';
import { XmcastError, errorCode, errorText } from '../errors';
import { filterOf, type TcDirection } from './tc-filter';

const STANDARD_BPFFS = '/sys/fs/bpf';
const LINK_PREFIX = 'link_';
/** Of programs that are attached as filters, which have no links. The ifindex follows, then the direction if it is out. */
const FILTER_PREFIX = 'filter_';
const FILTER_NAME = /^filter_(\d+)(_egress)?$/;
const CURRENT = 'current';
/** No dots: bpffs refuses them. */
const NEXT = 'next';
const GROUPS = 'groups';
const GENERATION = /^[1-9][0-9]*$/;

/** Maps and observers that belong together. */
export class Generation {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  pinPath(name: string): string {
    return join(this.path, name);
  }

  groupPath(index: number): string {
    return join(this.path, GROUPS, String(index));
  }

  openMap(name: string): BpfMap {
    return BpfMap.openPinned(this.pinPath(name));
  }

  /** Its maps are there, by their names, and all its groups: nobody has removed some and not others. */
  isWhole(names: readonly string[]): boolean {
    const folder = join(this.path, GROUPS);
    const groups = existsSync(folder) ? readdirSync(folder) : [];
    return names.every((name) => existsSync(this.pinPath(name))) && groups.every((index) => Number(index) < groups.length);
  }

  /** In the order of their indexes, as far as none is missing. */
  openGroups(): readonly BpfMap[] {
    const maps: BpfMap[] = [];
    for (let index = 0; existsSync(this.groupPath(index)); index++) maps.push(BpfMap.openPinned(this.groupPath(index)));
    return maps;
  }
}

export class PinFolder {
  readonly path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock) {
    this.path = path;
    this.#lock = lock;
  }

  static open(path: string): PinFolder {
    ensureBpffs(path);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw bpffsError(path, `create the pin folder ${path}: ${errorText(error)}`, error);
    }
    return new PinFolder(path, lockFolder(path));
  }

  linkPath(name: string): string {
    return join(this.path, `${LINK_PREFIX}${name}`);
  }

  filterPath(ifindex: number, direction: TcDirection): string {
    return join(this.path, `${FILTER_PREFIX}${ifindex}${direction === 'ingress' ? '' : '_egress'}`);
  }

  /** What a controller before this one has left in use. */
  get current(): Generation | undefined {
    try {
      const path = join(this.path, readlinkSync(join(this.path, CURRENT)));
      return existsSync(path) ? new Generation(path) : undefined;
    } catch {
      // None has come so far, or it has cleaned up.
      return undefined;
    }
  }

  /** An empty one. What a controller did not get ready before it died makes room. */
  makeGeneration(): Generation {
    const current = this.current;
    this.#removeGenerationsBut(current);
    const path = join(this.path, String(current === undefined ? 1 : Number(basename(current.path)) + 1));
    mkdirSync(join(path, GROUPS), { recursive: true, mode: 0o700 });
    return new Generation(path);
  }

  /** From now on it is what the next controller takes over. The one before stays until removeOthers(). */
  makeCurrent(generation: Generation): void {
    const next = join(this.path, NEXT);
    rmSync(next, { force: true });
    symlinkSync(basename(generation.path), next);
    renameSync(next, join(this.path, CURRENT));
  }

  /** Generations that are not in use. */
  removeOthers(): void {
    this.#removeGenerationsBut(this.current);
  }

  /** The folders of a generation, where somebody has removed them. False when they were there. */
  restore(generation: Generation): boolean {
    if (this.current?.path === generation.path && existsSync(join(generation.path, GROUPS))) return false;
    mkdirSync(join(generation.path, GROUPS), { recursive: true, mode: 0o700 });
    this.makeCurrent(generation);
    return true;
  }

  /**
   * Detaches what is attached and removes every pin. Detached, not only unlinked: the kernel would let go of them a moment later, and the
   * same ports may be wanted at once.
   */
  async clear(): Promise<void> {
    this.#disown();
    for (const name of readdirSync(this.path)) {
      const pin = join(this.path, name);
      if (name.startsWith(LINK_PREFIX)) await detachPinned(pin);
      const [, ifindex, direction] = FILTER_NAME.exec(name) ?? [];
      if (ifindex !== undefined) await detachTcFilter(filterOf(Number(ifindex), direction === undefined ? 'ingress' : 'egress')).catch(() => undefined);
      rmSync(pin, { recursive: true, force: true });
    }
  }

  /** Removes what is left, and the folder. Links must have been detached by their owner. */
  remove(): void {
    this.#disown();
    for (const name of readdirSync(this.path)) rmSync(join(this.path, name), { recursive: true, force: true });
    rmdirSync(this.path);
    this.close();
  }

  /** Everything stays. */
  close(): void {
    this.#lock.close();
  }

  /** First: a generation of which something is missing must not look like one in use when this is cut short. */
  #disown(): void {
    rmSync(join(this.path, CURRENT), { force: true });
  }

  #removeGenerationsBut(one: Generation | undefined): void {
    for (const name of readdirSync(this.path).filter((found) => GENERATION.test(found))) {
      if (join(this.path, name) !== one?.path) rmSync(join(this.path, name), { recursive: true });
    }
  }
}

async function detachPinned(path: string): Promise<void> {
  try {
    const link = BpfLink.openPinned(path);
    await link.detach();
    link.close();
  } catch {
    // Its device may be gone, and the link with it. What cannot be detached shows as EBUSY when the port is taken.
  }
}

function lockFolder(path: string): FileLock {
  try {
    return new FileLock(path);
  } catch (error) {
    if (errorCode(error) !== 'EWOULDBLOCK' && errorCode(error) !== 'EAGAIN') throw bpffsError(path, `lock ${path}: ${errorText(error)}`, error);
    throw new XmcastError('XM_ALREADY_RUNNING', `lock ${path}: another xmcastd holds it`, {
      hint: 'Stop the other daemon, or give this one a dataplane.pin_path of its own.',
      cause: error,
    });
  }
}

function ensureBpffs(path: string): void {
  const existing = nearestExisting(path);
  if (isBpffs(existing)) return;
  if (path !== STANDARD_BPFFS && !path.startsWith(`${STANDARD_BPFFS}/`)) {
    throw bpffsError(path, `use ${path} for pins: ${existing} is not on a bpffs`);
  }
  try {
    mountBpffs(STANDARD_BPFFS);
  } catch (error) {
    throw bpffsError(path, `mount a bpffs at ${STANDARD_BPFFS}: ${errorText(error)}`, error);
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path));
}

function bpffsError(path: string, message: string, cause?: unknown): XmcastError {
  return new XmcastError('XM_BPFFS', message, {
    hint: `Mount one with "mount -t bpf bpf ${STANDARD_BPFFS}" and keep dataplane.pin_path (now ${path}) below it.`,
    cause,
  });
}
