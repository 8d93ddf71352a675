/**
 * Reads the text triples under test/vectors/: blocks of three lines parted by empty lines; lines starting with # are remarks.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RecordType } from '../../../control/protocol/igmp/message';
import { parseIpv4 } from '../../../control/protocol/packet/address';

export interface Vector {
  readonly description: string;
  readonly bytes: Uint8Array;
  /** The bytes are only to be read: writing the meaning gives others. */
  readonly receiveOnly: boolean;
  /** The third line. */
  readonly expected: string;
}

export function readVectors(fileName: string): readonly Vector[] {
  const text = readFileSync(join(__dirname, '../../vectors', fileName), 'utf8');
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  const blocks = lines
    .join('\n')
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== '');
  return blocks.map((block) => toVector(fileName, block.split('\n')));
}

function toVector(fileName: string, lines: readonly string[]): Vector {
  const [description, hexLine, expected, ...rest] = lines;
  const parts = /^(=> )?((?:[0-9a-f]{2})+|-)$/.exec(hexLine ?? '');
  if (description === undefined || expected === undefined || parts === null || rest.length > 0) {
    throw new Error(`${fileName}: not a triple: ${lines.join(' | ')}`);
  }
  const bytes = new Uint8Array(Buffer.from(parts[2] === '-' ? '' : (parts[2] as string), 'hex'));
  return { description, bytes, receiveOnly: parts[1] !== undefined, expected };
}

/** JSON with dotted quads and names of record types for the numbers of the model. */
export function parseMeaning(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => {
    if (typeof value !== 'string') return value;
    return parseIpv4(value) ?? RecordType[value as keyof typeof RecordType] ?? value;
  });
}
