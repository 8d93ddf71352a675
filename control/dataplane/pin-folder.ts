/**
 * The folder on a bpffs that holds one daemon's pins: found or mounted, locked, emptied of what a dead daemon left, removed at the end.
 * The lock is what refuses a second controller over the same data plane.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, rmdirSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BpfLink, detachTcFilter, FileLock, isBpffs, mountBpffs } from '#bindings';
import { XmcastError, errorCode, errorText } from '../errors';
import { filterOf } from './tc-filter';

const STANDARD_BPFFS = '/sys/fs/bpf';
const LINK_PREFIX = 'link_';
/** Of programs that are attached as filters, which have no links. The ifindex follows. */
const FILTER_PREFIX = 'filter_';

export class PinFolder {
  readonly path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock) {
    this.path = path;
    this.#lock = lock;
  }

  static async open(path: string): Promise<PinFolder> {
    ensureBpffs(path);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw bpffsError(path, `create the pin folder ${path}: ${errorText(error)}`, error);
    }
    const folder = new PinFolder(path, lockFolder(path));
    await folder.#removeLeftovers();
    return folder;
  }

  pinPath(name: string): string {
    return join(this.path, name);
  }

  linkPath(name: string): string {
    return join(this.path, `${LINK_PREFIX}${name}`);
  }

  filterPath(ifindex: number): string {
    return join(this.path, `${FILTER_PREFIX}${ifindex}`);
  }

  /** Removes every pin and the folder. Links must have been detached by their owner. */
  remove(): void {
    for (const name of readdirSync(this.path)) unlinkSync(join(this.path, name));
    rmdirSync(this.path);
    this.#lock.close();
  }

  /**
   * A daemon that was killed leaves its programs attached: they must go before the same ports can be taken again. Detached, not only
   * unlinked: the kernel would let go of them a moment later.
   */
  async #removeLeftovers(): Promise<void> {
    for (const name of readdirSync(this.path)) {
      const pin = join(this.path, name);
      if (name.startsWith(LINK_PREFIX)) await detachPinned(pin);
      if (name.startsWith(FILTER_PREFIX)) await detachTcFilter(filterOf(Number(name.slice(FILTER_PREFIX.length)))).catch(() => undefined);
      rmSync(pin);
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
