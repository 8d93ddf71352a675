/** The stream that joins meet, and what has come of it to the far ends, by the kernel's own clock. */
import { endianness } from 'node:os';
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { BpfObject, BpfProgram, queryXdp, type BpfMap } from '#bindings';
import { u32Key } from '../../../control/dataplane/keys';
import { run } from '../../lab/command';
import { inRepository } from '../../lab/repository';
import { benchFrame, frameBytesOf, generatorState } from '../forward/stream';
import type { OpenAnswer } from './protocol';

const LITTLE_ENDIAN = endianness() === 'LE';
const FRAME_BYTES = frameBytesOf(64);
/** Frames that enter in one go: what one NAPI poll of a moderate stream brings. */
const BURST = 8;

export interface Arrival {
  /** undefined: nothing has come since clear(). */
  readonly firstNs: bigint | undefined;
  readonly packets: number;
}

export class Stream {
  readonly pins: OpenAnswer;
  readonly #generator: BpfProgram;
  readonly #state: BpfMap;
  readonly #arrivals: BpfMap;
  readonly #ingressIfindex: number;
  /** Held: the kernel empties a program array when its last descriptor is closed, and a collected object closes its own. */
  readonly #objects: readonly BpfObject[];

  private constructor(generate: BpfObject, receive: BpfObject, pins: OpenAnswer, ingressIfindex: number) {
    this.pins = pins;
    this.#objects = [generate, receive];
    this.#generator = generate.program('bench_generate');
    this.#state = generate.map('bench_streams');
    this.#arrivals = receive.map('arrivals');
    this.#ingressIfindex = ingressIfindex;
  }

  /** `ingressIfindex`: where the forwarder is attached already. */
  static async load(ingressIfindex: number, pinFolder: string): Promise<Stream> {
    mkdirSync(pinFolder, { recursive: true });
    const pin = (name: string): string => join(pinFolder, name);
    const [generate, receive] = ['generate', 'arrival'].map((name) => BpfObject.open(inRepository('build/bench', `${name}.bpf.o`)));
    if (generate === undefined || receive === undefined) throw new Error('no programs');
    await generate.load();
    await receive.load();
    // The very program that runs on the interface, not another one from the same file.
    await run(['bpftool', 'prog', 'pin', 'id', String(queryXdp(ingressIfindex).programId), pin('ingress')]);
    generate.map('bench_contender').update(u32Key(0), u32Key(BpfProgram.openPinned(pin('ingress')).fd));
    generate.program('bench_generate').pin(pin('generate'));
    receive.program('note_arrival').pin(pin('arrival'));
    return new Stream(generate, receive, { generatorProgram: pin('generate'), receiverProgram: pin('arrival') }, ingressIfindex);
  }

  /** From FIRST_SOURCE to this group, as fast as it goes. Resolves when the last frame has been through the forwarder. */
  send(group: number, frames: number): Promise<void> {
    const data = benchFrame(group, FRAME_BYTES);
    this.#state.update(u32Key(0), generatorState(data, 1));
    return this.#generator.runLive({ data, repeat: frames, ingressIfindex: this.#ingressIfindex, batchSize: BURST });
  }

  close(): void {
    for (const object of this.#objects) object.close();
  }

  clear(ifindex: number): void {
    this.#arrivals.update(u32Key(ifindex), new Uint8Array(this.#arrivals.valueBytes));
  }

  at(ifindex: number): Arrival {
    const value = this.#arrivals.lookup(u32Key(ifindex));
    if (value === undefined) throw new Error('a receiver has an interface index beyond the map');
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const firstNs = view.getBigUint64(0, LITTLE_ENDIAN);
    return { firstNs: firstNs === 0n ? undefined : firstNs, packets: Number(view.getBigUint64(8, LITTLE_ENDIAN)) };
  }
}
