/** Maps as the kernel would hold them, and the ABI of the real object: the data plane's bookkeeping without a kernel. */
import { readBtf, type BpfMap } from '#bindings';
import { Abi } from '../../../control/dataplane/abi';
import type { CopyCounters, RouteCounters } from '../../../control/dataplane/api';
import type { RouteEntry } from '../../../control/dataplane/routes';
import { bpfObjectPath } from '../../../control/paths';

export const btf = readBtf(bpfObjectPath());
export const abi = new Abi(btf);

export class FakeMap {
  readonly entries = new Map<string, Uint8Array>();
  /** Batches handed over, by their number of elements. */
  readonly calls: number[] = [];
  /** Keys the kernel refuses. */
  readonly refused = new Set<string>();
  /** When a batch is handed over. */
  onUpdateMany: (() => void) | undefined;

  get map(): BpfMap {
    return this as unknown as BpfMap;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(nameOf(key));
  }

  update(key: Uint8Array, value: Uint8Array): void {
    this.entries.set(nameOf(key), value.slice());
  }

  delete(key: Uint8Array): boolean {
    return this.entries.delete(nameOf(key));
  }

  /** As it is now, whatever is written before the answer is there. */
  lookupBatch(): Promise<{ keys: Uint8Array; values: Uint8Array; count: number }> {
    const keys = [...this.entries.keys()].map((name) => Buffer.from(name, 'hex'));
    const [key, value] = [Uint8Array.from(Buffer.concat(keys)), Uint8Array.from(Buffer.concat([...this.entries.values()]))];
    return Promise.resolve({ keys: key, values: value, count: keys.length });
  }

  updateMany(keys: Uint8Array, values: Uint8Array, count: number): void {
    this.calls.push(count);
    this.onUpdateMany?.();
    const [key, value] = [piecesOf(keys, count), piecesOf(values, count)];
    for (let i = 0; i < count; i++) this.#oneOf(i, key(i), () => this.update(key(i), value(i)));
  }

  deleteMany(keys: Uint8Array, count: number): number {
    this.calls.push(count);
    const key = piecesOf(keys, count);
    let deleted = 0;
    for (let i = 0; i < count; i++) this.#oneOf(i, key(i), () => (deleted += Number(this.delete(key(i)))));
    return deleted;
  }

  #oneOf(place: number, key: Uint8Array, done: () => void): void {
    if (this.refused.has(nameOf(key))) throw Object.assign(new Error('ENOMEM'), { processed: place });
    done();
  }
}

export function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}

function piecesOf(bytes: Uint8Array, count: number): (index: number) => Uint8Array {
  const size = bytes.length / count;
  return (index) => bytes.slice(index * size, (index + 1) * size);
}

export const NO_COPIES: CopyCounters = { packets: 0n, bytes: 0n, expected: 0n, copies: 0n, copyBytes: 0n, failed: 0n, dropped: 0n };

/** So many packets of 100 bytes, each copied once. */
export function packets(count: number): RouteCounters {
  const n = BigInt(count);
  return { packets: n, bytes: n * 100n, expected: n, copies: n, copyBytes: n * 100n, failed: 0n, dropped: 0n, redirectErrors: 0n, wrongInterface: 0n, ttlDrops: 0n };
}

/** struct xm_recent after so many packets. */
export function recentOf(count: number): Uint8Array {
  const struct = btf.structs['xm_recent'];
  if (struct === undefined) throw new Error('no struct xm_recent');
  const view = new DataView(new ArrayBuffer(struct.size));
  const values: Record<string, number> = { packets: count, bytes: count * 100, expected: count, sent: count, sent_bytes: count * 100 };
  for (const { name, offset, size } of struct.members) if (size === 8) view.setBigUint64(offset, BigInt(values[name] ?? 0), true);
  return new Uint8Array(view.buffer);
}

export function entry(counter: number, source: number, options: { readonly incoming?: number; readonly installedAtMs?: number } = {}): RouteEntry {
  const { incoming = 1, installedAtMs = 0 } = options;
  return { route: { source, group: 0xef010101, incoming, outgoing: [2] }, counter, group: undefined, installedAtMs, serial: counter + 1, service: { viaTc: false, toVlans: false } };
}
