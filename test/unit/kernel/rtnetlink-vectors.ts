/**
 * Reads test/vectors/rtnetlink/*.txt: "# comment", "[label]", then one datagram in hex a line.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export type Vectors = ReadonlyMap<string, readonly Uint8Array[]>;

export function readVectors(name: string): Vectors {
  const text = readFileSync(path.join(__dirname, '../../vectors/rtnetlink', `${name}.txt`), 'utf8');
  const vectors = new Map<string, Uint8Array[]>();
  let datagrams: Uint8Array[] = [];
  for (const line of text.split('\n')) {
    const label = /^\[(.+)\]$/.exec(line)?.[1];
    if (label !== undefined) vectors.set(label, (datagrams = []));
    else if (/^[0-9a-f]+$/.test(line)) datagrams.push(Uint8Array.from(Buffer.from(line, 'hex')));
  }
  return vectors;
}

export function datagramsOf(vectors: Vectors, label: string): readonly Uint8Array[] {
  const datagrams = vectors.get(label);
  if (datagrams === undefined || datagrams.length === 0) throw new Error(`no datagrams under [${label}]`);
  return datagrams;
}
