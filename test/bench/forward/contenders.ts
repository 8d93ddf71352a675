/**
 * The programs of the bench in the kernel: generator, receivers' counter, and each contender ready to be switched to. Owns no port
 * and no route of xmcast.
 */
import { join } from 'node:path';
import { BpfLink, BpfObject, BpfProgram, queryXdp, type BpfMap } from '#bindings';
import { u32Key, u32Keys } from '../../../control/dataplane/keys';
import { run } from '../../lab/command';
import { inRepository } from '../../lab/repository';
import type { ContenderName } from './protocol';

function benchObject(name: string): BpfObject {
  return BpfObject.open(inRepository('build/bench', `${name}.bpf.o`));
}

const BPF_TCX_INGRESS = 46;

/** xmcast's, of the port that frames come in by. */
interface OwnPrograms {
  readonly ifindex: number;
  readonly xdp: BpfProgram;
  readonly tc: BpfProgram;
}

/** To one number of ports. */
interface Broadcasts {
  readonly bare: BpfProgram;
  readonly egress: BpfProgram;
  /** Held, not only its descriptor: a program object that is collected closes it. */
  readonly egressProgram: BpfProgram;
}

export class Contenders {
  readonly generator: BpfProgram;
  readonly receiver: BpfProgram;
  readonly receiverCounts: BpfMap;
  readonly #generatorObject: BpfObject;
  readonly #stream: BpfMap;
  readonly #switch: BpfMap;
  readonly #xmcast: OwnPrograms;
  /** There only while it is the turn of tc: whatever passes XDP would be forwarded by it. */
  #tcLink: BpfLink | undefined;
  readonly #broadcasts: ReadonlyMap<number, Broadcasts>;

  private constructor(generate: BpfObject, receive: BpfObject, xmcast: OwnPrograms, broadcasts: ReadonlyMap<number, Broadcasts>) {
    this.#generatorObject = generate;
    this.generator = generate.program('bench_generate');
    this.#stream = generate.map('bench_streams');
    this.#switch = generate.map('bench_contender');
    this.receiver = receive.program('bench_receive');
    this.receiverCounts = receive.map('bench_counts');
    this.#xmcast = xmcast;
    this.#broadcasts = broadcasts;
  }

  /** xmcast is attached to `ingressIfindex` already, its tc program by the link pinned there. `egress`: interface indexes in the order of the ports. */
  static async load(ingress: { readonly ifindex: number; readonly tcLink: string }, egress: readonly number[], portCounts: readonly number[], pinFolder: string): Promise<Contenders> {
    const generate = benchObject('generate');
    const receive = benchObject('receive');
    await generate.load();
    await receive.load();
    const broadcasts = new Map<number, Broadcasts>();
    for (const ports of portCounts) broadcasts.set(ports, await loadBroadcasts(egress.slice(0, ports)));
    const { ifindex } = ingress;
    const xdp = await pinned(queryXdp(ifindex).programId, join(pinFolder, 'ingress'));
    return new Contenders(generate, receive, { ifindex, xdp, tc: await takeTcProgram(ingress.tcLink, join(pinFolder, 'tc')) }, broadcasts);
  }

  async switchTo(contender: ContenderName, ports: number): Promise<void> {
    this.#tcLink?.close();
    this.#tcLink = contender === 'tc' ? await BpfLink.attach(this.#xmcast.tc, this.#xmcast.ifindex, BPF_TCX_INGRESS) : undefined;
    this.#switch.update(u32Key(0), u32Key(this.#program(contender, ports).fd));
  }

  setStream(state: Uint8Array): void {
    this.#stream.update(u32Key(0), state);
  }

  #program(contender: ContenderName, ports: number): BpfProgram {
    switch (contender) {
      case 'xmcast':
        return this.#xmcast.xdp;
      case 'tc':
      case 'kernel':
        return this.#generatorObject.program('bench_pass');
      case 'drop':
        return this.#generatorObject.program('bench_drop');
      case 'bare':
      case 'egress': {
        const broadcasts = this.#broadcasts.get(ports);
        if (broadcasts === undefined) throw new Error(`no broadcast to ${ports} ports was loaded`);
        return broadcasts[contender];
      }
    }
  }
}

async function loadBroadcasts(egress: readonly number[]): Promise<Broadcasts> {
  const object = benchObject('broadcast');
  for (const map of ['bench_slots', 'bench_egress_slots']) object.setMaxEntries(map, egress.length);
  await object.load();
  const egressProgram = object.program('bench_egress');
  egress.forEach((ifindex, slot) => {
    object.map('bench_slots').update(u32Key(slot), u32Key(ifindex));
    // struct bpf_devmap_val
    object.map('bench_egress_slots').update(u32Key(slot), u32Keys([ifindex, egressProgram.fd]));
  });
  return { bare: object.program('bench_broadcast'), egress: object.program('bench_broadcast_egress'), egressProgram };
}

/** The very program that runs on the interface, not another one from the same file. */
async function pinned(programId: number, pin: string): Promise<BpfProgram> {
  await run(['bpftool', 'prog', 'pin', 'id', String(programId), pin]);
  return BpfProgram.openPinned(pin);
}

/** Takes it off the interface. */
async function takeTcProgram(linkPin: string, pin: string): Promise<BpfProgram> {
  const { prog_id: programId } = JSON.parse(await run(['bpftool', '--json', 'link', 'show', 'pinned', linkPin])) as { prog_id: number };
  const program = await pinned(programId, pin);
  const link = BpfLink.openPinned(linkPin);
  await link.detach();
  link.close();
  return program;
}
