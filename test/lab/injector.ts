/**
 * Puts hand-made Ethernet frames on an interface, byte for byte. Checks nothing: broken frames are what it is for.
 */
import type { TrafficProcess } from './traffic-process';

export class Injector {
  readonly #traffic: TrafficProcess;

  constructor(traffic: TrafficProcess) {
    this.#traffic = traffic;
  }

  /** One frame from the destination address on, without frame check sequence; at least 14 bytes. Resolves when it has left. */
  async send(frame: Uint8Array): Promise<void> {
    await this.#traffic.command(Buffer.from(frame).toString('hex'));
  }
}

export function injectorArguments(interfaceName: string): readonly string[] {
  return ['inject', '--interface', interfaceName];
}
