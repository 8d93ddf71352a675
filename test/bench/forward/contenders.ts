/**
 * The programs of the bench in the kernel: generator, receivers' counter, and each contender ready to be switched to. Owns no port
 * and no route of xmcast.
 */
import { join } from 'node:path';
import { BpfObject, BpfProgram, queryXdp, type BpfMap } from '#bindings';
import { u32Key } from '../../../control/dataplane/keys';
import { run } from '../../lab/command';
import { inRepository } from '../../lab/repository';
import type { ContenderName } from './protocol';

function benchObject(name: string): BpfObject {
  return BpfObject.open(inRepository('build/bench', `${name}.bpf.o`));
}

export class Contenders {
  readonly generator: BpfProgram;
  readonly receiver: BpfProgram;
  readonly receiverCounts: BpfMap;
  readonly #generatorObject: BpfObject;
  readonly #stream: BpfMap;
  readonly #switch: BpfMap;
  readonly #xmcast: BpfProgram;
  readonly #bare: ReadonlyMap<number, BpfProgram>;

  private constructor(generate: BpfObject, receive: BpfObject, xmcast: BpfProgram, bare: ReadonlyMap<number, BpfProgram>) {
    this.#generatorObject = generate;
    this.generator = generate.program('bench_generate');
    this.#stream = generate.map('bench_streams');
    this.#switch = generate.map('bench_contender');
    this.receiver = receive.program('bench_receive');
    this.receiverCounts = receive.map('bench_counts');
    this.#xmcast = xmcast;
    this.#bare = bare;
  }

  /** `ingressIfindex`: where xmcast is attached already. `egress`: interface indexes in the order of the ports. */
  static async load(
    ingressIfindex: number,
    egress: readonly number[],
    portCounts: readonly number[],
    pinFolder: string,
  ): Promise<Contenders> {
    const generate = benchObject('generate');
    const receive = benchObject('receive');
    await generate.load();
    await receive.load();
    const bare = new Map<number, BpfProgram>();
    for (const ports of portCounts) bare.set(ports, await bareBroadcast(egress.slice(0, ports)));
    return new Contenders(generate, receive, await attachedProgram(ingressIfindex, join(pinFolder, 'ingress')), bare);
  }

  switchTo(contender: ContenderName, ports: number): void {
    this.#switch.update(u32Key(0), u32Key(this.#program(contender, ports).fd));
  }

  setStream(state: Uint8Array): void {
    this.#stream.update(u32Key(0), state);
  }

  #program(contender: ContenderName, ports: number): BpfProgram {
    switch (contender) {
      case 'xmcast':
        return this.#xmcast;
      case 'kernel':
        return this.#generatorObject.program('bench_pass');
      case 'drop':
        return this.#generatorObject.program('bench_drop');
      case 'bare': {
        const program = this.#bare.get(ports);
        if (program === undefined) throw new Error(`no bare broadcast to ${ports} ports was loaded`);
        return program;
      }
    }
  }
}

async function bareBroadcast(egress: readonly number[]): Promise<BpfProgram> {
  const object = benchObject('broadcast');
  object.setMaxEntries('bench_slots', egress.length);
  await object.load();
  egress.forEach((ifindex, slot) => object.map('bench_slots').update(u32Key(slot), u32Key(ifindex)));
  return object.program('bench_broadcast');
}

/** The very program that runs on the interface, not another one from the same file. */
async function attachedProgram(ifindex: number, pin: string): Promise<BpfProgram> {
  const { programId } = queryXdp(ifindex);
  await run(['bpftool', 'prog', 'pin', 'id', String(programId), pin]);
  return BpfProgram.openPinned(pin);
}
