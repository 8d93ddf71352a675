/**
 * A program on the way from a device to the host's stack: by a tcx link where the kernel has them (Linux 6.6), by a filter of clsact
 * below. Both leave a pin behind for as long as they are there, so that a later daemon can take them away.
 */
import { rmSync } from 'node:fs';
import { attachTcFilter, BpfLink, detachTcFilter, type BpfProgram } from '#bindings';
import { errorCode } from '../errors';
import type { PinFolder } from './pin-folder';
import { filterOf } from './tc-filter';

const BPF_TCX_INGRESS = 46;
/** What kernels answer that do not know the attach type. */
const NO_TCX = ['EINVAL', 'EOPNOTSUPP'];
/** The device took the link with it, or is just going. */
const GONE_ALREADY = ['ENOLINK', 'ENODEV', 'EINVAL'];

export interface TcPlace {
  readonly program: BpfProgram;
  readonly ifindex: number;
  readonly pins: PinFolder;
}

export interface Hook {
  /** Also when the device is gone. */
  detach(): Promise<void>;
}

export async function attachTc(place: TcPlace): Promise<Hook> {
  const { program, ifindex, pins } = place;
  try {
    return pinLink(await BpfLink.attach(program, ifindex, BPF_TCX_INGRESS), pins.linkPath(`${ifindex}_tc`));
  } catch (error) {
    if (!NO_TCX.includes(errorCode(error))) throw error;
    return attachFilter(place);
  }
}

/** For kernels without tcx. */
export async function attachFilter({ program, ifindex, pins }: TcPlace): Promise<Hook> {
  const pin = pins.filterPath(ifindex);
  rmSync(pin, { force: true });
  // First: what is attached and not known of would stay for good.
  program.pin(pin);
  await attachTcFilter(program, filterOf(ifindex));
  return {
    detach: async () => {
      await detachTcFilter(filterOf(ifindex));
      rmSync(pin, { force: true });
    },
  };
}

/** Attached for as long as the pin is there, whoever ends before. */
export function pinLink(link: BpfLink, pin: string): Hook {
  try {
    link.pin(pin);
  } catch (error) {
    link.close();
    throw error;
  }
  return {
    detach: async () => {
      rmSync(pin, { force: true });
      try {
        await link.detach();
      } catch (error) {
        if (!GONE_ALREADY.includes(errorCode(error))) throw error;
      } finally {
        link.close();
      }
    },
  };
}
