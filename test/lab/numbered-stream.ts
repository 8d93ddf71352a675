/**
 * The numbered stream in the kernel (bpf/numbered.bpf.c): sends through the forwarder's own program, reads what arrived. For the process
 * in the router's namespace.
 */
import { endianness } from 'node:os';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BpfObject, BpfProgram, queryXdp, type BpfMap, type BtfStruct } from '#bindings';
import { u32Key } from '../../control/dataplane/keys';
import { ETHERNET_BYTES, frame } from '../bpf/packet';
import { run } from './command';
import type { Arrivals, GenerateRequest, StreamAnswer, StreamRequest } from './forwarder-protocol';

const LITTLE_ENDIAN = endianness() === 'LE';
const IP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const ADDRESSES_BYTES = 12;
const TAG_BYTES = 4;

export class NumberedStream {
  readonly pins: StreamAnswer;
  /** Held: a map of programs is emptied when nobody has it open any more. */
  readonly #forwarders: BpfMap;
  readonly #sender: BpfProgram;
  readonly #arrivals: BpfMap;
  readonly #layout: BtfStruct;
  readonly #frame: Uint8Array;
  readonly #ingressIfindex: number;

  private constructor(object: BpfObject, request: StreamRequest, pins: StreamAnswer) {
    this.pins = pins;
    this.#forwarders = object.map('numbered_forwarder');
    this.#sender = object.program('numbered_send');
    this.#arrivals = object.map('numbered_arrivals');
    this.#layout = structOf(object, 'numbered_arrivals');
    this.#frame = frameOf(request);
    this.#ingressIfindex = request.ingressIfindex;
  }

  /** The forwarder must be attached where the stream comes in. */
  static async load(request: StreamRequest): Promise<NumberedStream> {
    const object = BpfObject.open(request.objectPath);
    await object.load();
    mkdirSync(request.pinPath, { recursive: true });
    const state = stateOf(structOf(object, 'numbered_stream'), request);
    object.map('numbered_stream').update(u32Key(0), state);
    const pins = { senderProgram: join(request.pinPath, 'send'), receiverProgram: join(request.pinPath, 'receive') };
    object.program('numbered_send').pin(pins.senderProgram);
    object.program('numbered_receive').pin(pins.receiverProgram);
    const stream = new NumberedStream(object, request, pins);
    if (request.toStack !== true) await stream.#enter(join(request.pinPath, 'forwarder'));
    return stream;
  }

  /** Packets go on into the very program that runs on the interface, not another one from the same file. */
  async #enter(pin: string): Promise<void> {
    const { programId } = queryXdp(this.#ingressIfindex);
    await run(['bpftool', 'prog', 'pin', 'id', String(programId), pin]);
    const forwarder = BpfProgram.openPinned(pin);
    this.#forwarders.update(u32Key(0), u32Key(forwarder.fd));
    forwarder.close();
  }

  async generate({ packets, ratePps, burst }: GenerateRequest): Promise<void> {
    const started = performance.now();
    for (let sent = 0; sent < packets;) {
      const repeat = ratePps === undefined ? packets : Math.min(burst, packets - sent);
      const earlyMs = ratePps === undefined ? 0 : (sent * 1000) / ratePps - (performance.now() - started);
      if (earlyMs > 0) await pause(earlyMs);
      await this.#sender.runLive({
        data: this.#frame,
        repeat,
        ingressIfindex: this.#ingressIfindex,
        batchSize: Math.min(burst, repeat),
      });
      sent += repeat;
    }
  }

  /** `place`: an ifindex, or placeOfVlan(). */
  arrivals(place: number): Arrivals {
    const view = this.#read(place);
    const read = (name: string): number => Number(view.getBigUint64(this.#offset(name), LITTLE_ENDIAN));
    return {
      packets: read('packets'),
      bytes: read('bytes'),
      missing: read('missing'),
      behind: read('behind'),
      strange: read('strange'),
      next: read('next'),
    };
  }

  /** Only while nothing arrives there. */
  setDelay(ifindex: number, delayNs: number): void {
    const view = this.#read(ifindex);
    view.setBigUint64(this.#offset('delay_ns'), BigInt(delayNs), LITTLE_ENDIAN);
    this.#arrivals.update(u32Key(ifindex), new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }

  #read(ifindex: number): DataView {
    const value = this.#arrivals.lookup(u32Key(ifindex));
    if (value === undefined) throw new Error(`interface index ${ifindex} is beyond the receivers' counters`);
    return new DataView(value.buffer, value.byteOffset, value.byteLength);
  }

  #offset(name: string): number {
    return offsetOf(this.#layout, name);
  }
}

function offsetOf(struct: BtfStruct, name: string): number {
  const member = struct.members.find((candidate) => candidate.name === name);
  if (member === undefined) throw new Error(`struct ${struct.name} has no member ${name}`);
  return member.offset;
}

function frameOf({ source, group, ipBytes, vlan }: StreamRequest): Uint8Array {
  return frame({ source, group, payload: ipBytes - IP_HEADER_BYTES - UDP_HEADER_BYTES, tags: vlan === undefined ? [] : [{ tci: vlan }] });
}

/** struct numbered_stream: the parts of each packet that are written anew. */
function stateOf(struct: BtfStruct, request: StreamRequest): Uint8Array {
  const state = new Uint8Array(struct.size);
  const whole = frameOf(request);
  const linkBytes = request.vlan === undefined ? ETHERNET_BYTES : ETHERNET_BYTES + TAG_BYTES;
  state.set(whole.subarray(linkBytes, linkBytes + IP_HEADER_BYTES), offsetOf(struct, 'header'));
  state.set(whole.subarray(0, ADDRESSES_BYTES), offsetOf(struct, 'addresses'));
  if (request.vlan !== undefined) state.set(whole.subarray(ADDRESSES_BYTES, ADDRESSES_BYTES + TAG_BYTES), offsetOf(struct, 'tag'));
  if (request.toStack === true) state.set(u32Key(1), offsetOf(struct, 'to_stack'));
  return state;
}

function structOf(object: BpfObject, name: string): BtfStruct {
  const struct = object.btf.structs[name];
  if (struct === undefined) throw new Error(`struct ${name} is not in the object`);
  return struct;
}
