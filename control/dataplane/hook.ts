/**
 * A program on a device, for as long as a pin is there, whoever ends before: XDP and tcx by a link (tcx: Linux 6.6), on older kernels tc by
 * a filter of clsact. Knows how each is attached, taken over, looked after and taken away; not what the programs do.
 */
import { existsSync, rmSync } from 'node:fs';
import { attachTcFilter, BpfLink, detachTcFilter, queryTcFilter, type BpfProgram } from '#bindings';
import { errorCode } from '../errors';
import type { PinFolder } from './pin-folder';
import { filterOf } from './tc-filter';

const BPF_TCX_INGRESS = 46;
/** <linux/if_link.h>. Generic XDP shares one buffer among all copies and is slower than the kernel's own forwarder. */
const XDP_FLAGS_DRV_MODE = 4;
/** What kernels answer that do not know the attach type. */
const NO_TCX = ['EINVAL', 'EOPNOTSUPP'];
/** The device took the link with it, or is just going. */
const GONE_ALREADY = ['ENOLINK', 'ENODEV', 'EINVAL'];

export interface HookPlace {
  readonly program: BpfProgram;
  readonly ifindex: number;
  readonly pins: PinFolder;
}

/** What somebody had undone, and was done again. */
export type HookRepair = 'pin' | 'attachment';

export interface Hook {
  /** Another program takes the place of the one there, between two packets. */
  replace(program: BpfProgram): Promise<void>;
  /** Also when the device is gone. */
  detach(): Promise<void>;
  /** It stays when the process ends. */
  release(): void;
  /** Makes good what somebody else has undone. Rejects when that cannot be: another program has taken the place. */
  repair(): Promise<HookRepair | undefined>;
}

export async function attachXdp({ program, ifindex, pins }: HookPlace): Promise<Hook> {
  const attach = (now: BpfProgram): Promise<BpfLink> => BpfLink.attachXdp(now, ifindex, XDP_FLAGS_DRV_MODE);
  return pinned(new LinkHook(await attach(program), { pin: pins.linkPath(String(ifindex)), program, attach }));
}

export async function attachTc(place: HookPlace): Promise<Hook> {
  const { program, ifindex, pins } = place;
  const attach = (now: BpfProgram): Promise<BpfLink> => BpfLink.attach(now, ifindex, BPF_TCX_INGRESS);
  try {
    return pinned(new LinkHook(await attach(program), { pin: pins.linkPath(`${ifindex}_tc`), program, attach }));
  } catch (error) {
    if (!NO_TCX.includes(errorCode(error))) throw error;
    return attachFilter(place);
  }
}

/** For kernels without tcx. */
export async function attachFilter({ program, ifindex, pins }: HookPlace): Promise<Hook> {
  const hook = new FilterHook(ifindex, pins.filterPath(ifindex), program);
  await hook.replace(program);
  return hook;
}

/** What a controller before this one has attached; undefined when it is not there any more. `program` takes its place with replace(). */
export async function findXdp({ program, ifindex, pins }: HookPlace): Promise<Hook | undefined> {
  const attach = (now: BpfProgram): Promise<BpfLink> => BpfLink.attachXdp(now, ifindex, XDP_FLAGS_DRV_MODE);
  return findLink(ifindex, { pin: pins.linkPath(String(ifindex)), program, attach });
}

/** As findXdp(). */
export async function findTc({ program, ifindex, pins }: HookPlace): Promise<Hook | undefined> {
  const pin = pins.filterPath(ifindex);
  if (existsSync(pin)) return new FilterHook(ifindex, pin, program);
  const attach = (now: BpfProgram): Promise<BpfLink> => BpfLink.attach(now, ifindex, BPF_TCX_INGRESS);
  return findLink(ifindex, { pin: pins.linkPath(`${ifindex}_tc`), program, attach });
}

interface LinkPlace {
  readonly pin: string;
  readonly program: BpfProgram;
  readonly attach: (program: BpfProgram) => Promise<BpfLink>;
}

async function findLink(ifindex: number, place: LinkPlace): Promise<Hook | undefined> {
  if (!existsSync(place.pin)) return undefined;
  const hook = new LinkHook(BpfLink.openPinned(place.pin), place);
  if (hook.ifindex === ifindex) return hook;
  await hook.detach();
  return undefined;
}

function pinned(hook: LinkHook): Hook {
  try {
    hook.pin();
  } catch (error) {
    hook.release();
    throw error;
  }
  return hook;
}

class LinkHook implements Hook {
  readonly #place: LinkPlace;
  #link: BpfLink;
  #program: BpfProgram;

  constructor(link: BpfLink, place: LinkPlace) {
    this.#link = link;
    this.#place = place;
    this.#program = place.program;
  }

  get ifindex(): number {
    return this.#link.ifindex;
  }

  pin(): void {
    this.#link.pin(this.#place.pin);
  }

  async replace(program: BpfProgram): Promise<void> {
    await this.#link.update(program);
    this.#program = program;
  }

  async detach(): Promise<void> {
    rmSync(this.#place.pin, { force: true });
    try {
      await this.#link.detach();
    } catch (error) {
      if (!GONE_ALREADY.includes(errorCode(error))) throw error;
    } finally {
      this.#link.close();
    }
  }

  release(): void {
    this.#link.close();
  }

  async repair(): Promise<HookRepair | undefined> {
    if (this.#link.ifindex === 0) {
      const link = await this.#place.attach(this.#program);
      this.#link.close();
      this.#link = link;
      rmSync(this.#place.pin, { force: true });
      this.pin();
      return 'attachment';
    }
    if (this.#link.programId !== this.#program.id) {
      await this.#link.update(this.#program);
      return 'attachment';
    }
    if (existsSync(this.#place.pin)) return undefined;
    this.pin();
    return 'pin';
  }
}

/** The pin is of the program: a sign for later controllers that there is a filter. */
class FilterHook implements Hook {
  readonly #ifindex: number;
  readonly #pin: string;
  #program: BpfProgram;

  constructor(ifindex: number, pin: string, program: BpfProgram) {
    this.#ifindex = ifindex;
    this.#pin = pin;
    this.#program = program;
  }

  async replace(program: BpfProgram): Promise<void> {
    rmSync(this.#pin, { force: true });
    // First: what is attached and not known of would stay for good.
    program.pin(this.#pin);
    this.#program = program;
    await attachTcFilter(program, filterOf(this.#ifindex));
  }

  async detach(): Promise<void> {
    await detachTcFilter(filterOf(this.#ifindex));
    rmSync(this.#pin, { force: true });
  }

  release(): void {
    // Nothing is held: the qdisc has the filter.
  }

  async repair(): Promise<HookRepair | undefined> {
    if ((await queryTcFilter(filterOf(this.#ifindex))) !== this.#program.id) {
      await this.replace(this.#program);
      return 'attachment';
    }
    if (existsSync(this.#pin)) return undefined;
    this.#program.pin(this.#pin);
    return 'pin';
  }
}
