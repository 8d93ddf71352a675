/**
 * Sends the numbered stream of bpf/flood.bpf.c out of a host's interface and reads what arrived. For a process in that host's namespace;
 * flood.ts is the other end.
 */
import { endianness } from 'node:os';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BpfObject, type BpfMap, type BpfProgram } from '#bindings';
import { u32Key } from '../../control/dataplane/keys';
import { ETHERNET_BYTES, frame } from '../bpf/packet';
import { parseIpv4 } from '../../control/protocol/packet/address';
import { serveRequests } from './serve-requests';
import type { FloodAnswers, FloodCount, FloodRequest, OpenFlood } from './flood-protocol';

const LITTLE_ENDIAN = endianness() === 'LE';
const IP_HEADER_BYTES = 20;
/** Frames that the kernel makes and sends without a look at what they have set off: far less than the queue of a veth holds. */
const BATCH = 32;
/** A run of the kernel takes ten milliseconds to set up: so much of the stream goes in one. */
const RUN_MS = 50;

/** Of a map of states. */
interface FloodPlace {
  readonly map: BpfMap;
  readonly vlan: number;
}

class Flood {
  readonly #sender: BpfProgram;
  readonly #sent: BpfMap;
  readonly #received: readonly FloodPlace[];
  readonly #offsets: Readonly<Record<'next' | 'packets' | 'missing' | 'behind', number>>;
  readonly #frame: Uint8Array;
  readonly #ifindex: number;
  #running: Promise<void> | undefined;
  #stopped = true;

  private constructor(sending: BpfObject, receiving: readonly BpfObject[], { ifindex, source, group, payload, receivers }: OpenFlood) {
    this.#sender = sending.program('flood_send');
    this.#sent = sending.map('flood_states');
    this.#received = receiving.flatMap((object, i) => (receivers[i] ?? []).map((vlan) => ({ map: object.map('flood_states'), vlan })));
    this.#ifindex = ifindex;
    this.#frame = frame({ source, group, payload });
    const offsetOf = (name: string): number => sending.btf.structs['flood_state']?.members.find((member) => member.name === name)?.offset ?? -1;
    this.#offsets = { next: offsetOf('next'), packets: offsetOf('packets'), missing: offsetOf('missing'), behind: offsetOf('behind') };
    const state = new Uint8Array(this.#sent.info.valueSize);
    state.set(this.#frame.subarray(0, ETHERNET_BYTES + IP_HEADER_BYTES));
    this.#sent.update(u32Key(0), state);
  }

  static async open(request: OpenFlood): Promise<Flood> {
    mkdirSync(request.pinPath, { recursive: true });
    const receiving: BpfObject[] = [];
    for (const i of request.receivers.keys()) {
      const object = await load(request);
      object.program('flood_receive').pin(join(request.pinPath, `receive${i}`));
      receiving.push(object);
    }
    return new Flood(await load(request), receiving, request);
  }

  start(ratePps: number): void {
    this.#stopped = false;
    this.#running = this.#run(ratePps);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  report(): FloodAnswers['report'] {
    const sent = this.#word({ map: this.#sent, vlan: 0 }, 'next');
    return { sent, receivers: this.#received.map((place) => this.#count(place)) };
  }

  async #run(ratePps: number): Promise<void> {
    const started = performance.now();
    for (let sent = 0; !this.#stopped; ) {
      const run = Math.ceil((ratePps * RUN_MS) / 1000);
      const earlyMs = (sent * 1000) / ratePps - (performance.now() - started);
      if (earlyMs > 0) await pause(earlyMs);
      await this.#sender.runLive({ data: this.#frame, repeat: run, ingressIfindex: this.#ifindex, batchSize: BATCH });
      sent += run;
    }
  }

  #count(place: FloodPlace): FloodCount {
    return { packets: this.#word(place, 'packets'), missing: this.#word(place, 'missing'), behind: this.#word(place, 'behind'), next: this.#word(place, 'next') };
  }

  #word({ map, vlan }: FloodPlace, name: 'next' | 'packets' | 'missing' | 'behind'): number {
    const value = map.lookup(u32Key(vlan));
    if (value === undefined) throw new Error('an array has every element');
    return Number(new DataView(value.buffer, value.byteOffset).getBigUint64(this.#offsets[name], LITTLE_ENDIAN));
  }
}

async function load({ objectPath, ifindex, group }: OpenFlood): Promise<BpfObject> {
  const object = BpfObject.open(objectPath);
  const set = (name: string, bytes: Uint8Array): void => object.setRodata(object.btf.variables.find((one) => one.name === name)?.offset ?? -1, bytes);
  set('flood_ifindex', u32Key(ifindex));
  const network = new Uint8Array(4);
  new DataView(network.buffer).setUint32(0, parseIpv4(group) ?? 0);
  set('flood_group', network);
  await object.load();
  return object;
}

let flood: Flood | undefined;

async function obey(request: FloodRequest): Promise<FloodAnswers[keyof FloodAnswers]> {
  if (request.do === 'open') {
    flood = await Flood.open(request);
    return {};
  }
  if (flood === undefined) throw new Error('not open yet');
  if (request.do === 'start') flood.start(request.ratePps);
  if (request.do === 'stop') await flood.stop();
  return request.do === 'report' ? flood.report() : {};
}

void serveRequests(obey, () => flood?.stop());
