/**
 * A program on a device, for as long as a pin is there, whoever ends before: XDP and tcx by a link (tcx: Linux 6.6), on older kernels tc by
 * a filter of clsact. Knows how each is attached, taken over, looked after and taken away; not what the programs do.
 */
import { existsSync, rmSync } from 'node:fs';
import { attachTcFilter, BpfLink, detachTcFilter, queryTcFilter, type BpfProgram, type TcFilterPlace } from '#bindings';
import { errorCode } from '../errors';
import type { PinFolder } from './pin-folder';
import { filterOf, type TcDirection } from './tc-filter';

/** enum bpf_attach_type. */
const TCX: Readonly<Record<TcDirection, number>> = { ingress: 46, egress: 47 };
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

export interface TcPlace extends HookPlace {
  readonly direction: TcDirection;
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

export async function attachTc(place: TcPlace): Promise<Hook> {
  const link = tcxPlace(place);
  try {
    return pinned(new LinkHook(await link.attach(place.program), link));
  } catch (error) {
    if (!NO_TCX.includes(errorCode(error))) throw error;
    return attachFilter(place);
  }
}

/** For kernels without tcx. */
export async function attachFilter(place: TcPlace): Promise<Hook> {
  const { program, ifindex, direction, pins } = place;
  const hook = new FilterHook(filterOf(ifindex, direction), pins.filterPath(ifindex, direction), program);
  await hook.replace(program);
  return hook;
}

/** What a controller before this one has attached; undefined when it is not there any more. `program` takes its place with replace(). */
export async function findXdp({ program, ifindex, pins }: HookPlace): Promise<Hook | undefined> {
  const attach = (now: BpfProgram): Promise<BpfLink> => BpfLink.attachXdp(now, ifindex, XDP_FLAGS_DRV_MODE);
  return findLink(ifindex, { pin: pins.linkPath(String(ifindex)), program, attach });
}

/** As findXdp(). */
export async function findTc(place: TcPlace): Promise<Hook | undefined> {
  const { program, ifindex, direction, pins } = place;
  const pin = pins.filterPath(ifindex, direction);
  if (existsSync(pin)) return new FilterHook(filterOf(ifindex, direction), pin, program);
  return findLink(ifindex, tcxPlace(place));
}

interface LinkPlace {
  readonly pin: string;
  readonly program: BpfProgram;
  readonly attach: (program: BpfProgram) => Promise<BpfLink>;
}

function tcxPlace({ program, ifindex, direction, pins }: TcPlace): LinkPlace {
  const pin = pins.linkPath(direction === 'ingress' ? `${ifindex}_tc` : `${ifindex}_tc_egress`);
  return { pin, program, attach: (now) => BpfLink.attach(now, ifindex, TCX[direction]) };
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
  readonly #filter: TcFilterPlace;
  readonly #pin: string;
  #program: BpfProgram;

  constructor(filter: TcFilterPlace, pin: string, program: BpfProgram) {
    this.#filter = filter;
    this.#pin = pin;
    this.#program = program;
  }

  async replace(program: BpfProgram): Promise<void> {
    rmSync(this.#pin, { force: true });
    // First: what is attached and not known of would stay for good.
    program.pin(this.#pin);
    this.#program = program;
    await attachTcFilter(program, this.#filter);
  }

  async detach(): Promise<void> {
    await detachTcFilter(this.#filter);
    rmSync(this.#pin, { force: true });
  }

  release(): void {
    // Nothing is held: the qdisc has the filter.
  }

  async repair(): Promise<HookRepair | undefined> {
    if ((await queryTcFilter(this.#filter)) !== this.#program.id) {
      await this.replace(this.#program);
      return 'attachment';
    }
    if (existsSync(this.#pin)) return undefined;
    this.#program.pin(this.#pin);
    return 'pin';
  }
}
