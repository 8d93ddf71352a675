/**
 * What this process may do. Reads /proc/self/status and nothing else; never tries a privileged call to find out.
 */
import { readFileSync } from 'node:fs';
import { XmcastError } from '../errors';

/** Bit numbers of linux/capability.h. */
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;
const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
const CAP_BPF = 39;

/** What the data plane needs; any one of `anyOf` will do. CAP_SYS_ADMIN holds what CAP_BPF and CAP_PERFMON were split from. */
const NEEDED: readonly { readonly name: string; readonly anyOf: readonly number[] }[] = [
  { name: 'CAP_NET_ADMIN', anyOf: [CAP_NET_ADMIN] },
  { name: 'CAP_NET_RAW', anyOf: [CAP_NET_RAW] },
  { name: 'CAP_BPF', anyOf: [CAP_BPF, CAP_SYS_ADMIN] },
  { name: 'CAP_PERFMON', anyOf: [CAP_PERFMON, CAP_SYS_ADMIN] },
];

/** Names of the capabilities that are needed and not in the effective set, in a fixed order. */
export function missingCapabilities(readStatus: () => string = readOwnStatus): string[] {
  const digits = /^CapEff:\s*([0-9a-f]{1,16})$/im.exec(readStatus())?.[1];
  if (digits === undefined) {
    throw new XmcastError('XM_PRIVILEGE', 'read effective capabilities from /proc/self/status: no CapEff line', {
      hint: 'Mount /proc as Linux provides it.',
    });
  }
  const mask = digits.padStart(16, '0');
  const words = { low: parseInt(mask.slice(8), 16), high: parseInt(mask.slice(0, 8), 16) };
  const has = (bit: number): boolean => (((bit < 32 ? words.low : words.high) >>> (bit % 32)) & 1) === 1;
  return NEEDED.filter(({ anyOf }) => !anyOf.some(has)).map(({ name }) => name);
}

/** Throws XM_PRIVILEGE when this process cannot run the forwarder. */
export function requirePrivileges(): void {
  const missing = missingCapabilities();
  if (missing.length === 0) return;
  throw new XmcastError('XM_PRIVILEGE', `start the forwarder: this process lacks ${missing.join(', ')}`, {
    hint: 'Run it as root, or give the service these capabilities (AmbientCapabilities= in its unit).',
  });
}

function readOwnStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch (cause) {
    throw new XmcastError('XM_PRIVILEGE', 'read effective capabilities from /proc/self/status: the file cannot be read', {
      hint: 'Mount /proc in this namespace.',
      cause,
    });
  }
}
