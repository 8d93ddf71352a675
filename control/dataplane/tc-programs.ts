/**
 * The tc programs of one device: for what comes in, and for what the machine itself sends. They come and go together; one direction may
 * be missing only on a device that a controller of an older version has left.
 */
import type { BpfProgram } from '#bindings';
import type { XmcastError } from '../errors';
import { attachTc, findTc, type Hook, type HookRepair, type TcPlace } from './hook';
import { tcError } from './port-errors';
import type { PortSpec } from './api';
import { TC_DIRECTIONS, type TcDirection } from './tc-filter';

export type TcProgramSet = Readonly<Record<TcDirection, BpfProgram>>;

export interface TcDevice {
  readonly spec: PortSpec;
  readonly programs: TcProgramSet;
  readonly pins: TcPlace['pins'];
}

export class TcPrograms {
  readonly #device: TcDevice;
  readonly #hooks: Map<TcDirection, Hook>;

  private constructor(device: TcDevice, hooks: Map<TcDirection, Hook>) {
    this.#device = device;
    this.#hooks = hooks;
  }

  /** Rejects with XmcastError; nothing is attached then. */
  static async attach(device: TcDevice): Promise<TcPrograms> {
    const attached = new TcPrograms(device, new Map());
    try {
      await attached.#complete();
      return attached;
    } catch (error) {
      await attached.detach();
      throw error;
    }
  }

  /** What a controller before this one has attached; undefined when that for what comes in is not there any more. */
  static async find(device: TcDevice): Promise<TcPrograms | undefined> {
    const hooks = new Map<TcDirection, Hook>();
    for (const direction of TC_DIRECTIONS) {
      const hook = await findTc(placeOf(device, direction));
      if (hook !== undefined) hooks.set(direction, hook);
    }
    const found = new TcPrograms(device, hooks);
    if (hooks.has('ingress')) return found;
    await found.detach();
    return undefined;
  }

  /** By those of this controller. */
  async replace(): Promise<void> {
    for (const [direction, hook] of this.#hooks) await hook.replace(this.#device.programs[direction]);
    await this.#complete();
  }

  /** Rejects with XmcastError when that cannot be. */
  async repair(): Promise<readonly HookRepair[]> {
    const repairs: HookRepair[] = [];
    for (const [direction, hook] of this.#hooks) {
      try {
        const repair = await hook.repair();
        if (repair !== undefined) repairs.push(repair);
      } catch (error) {
        throw this.#refusal(direction, error);
      }
    }
    return repairs;
  }

  async detach(): Promise<void> {
    for (const hook of this.#hooks.values()) await hook.detach();
    this.#hooks.clear();
  }

  release(): void {
    for (const hook of this.#hooks.values()) hook.release();
  }

  async #complete(): Promise<void> {
    for (const direction of TC_DIRECTIONS) {
      if (this.#hooks.has(direction)) continue;
      try {
        this.#hooks.set(direction, await attachTc(placeOf(this.#device, direction)));
      } catch (error) {
        throw this.#refusal(direction, error);
      }
    }
  }

  #refusal(direction: TcDirection, error: unknown): XmcastError {
    return tcError(this.#device.spec, direction, error);
  }
}

function placeOf({ spec, programs, pins }: TcDevice, direction: TcDirection): TcPlace {
  return { program: programs[direction], ifindex: spec.ifindex, direction, pins };
}
