/**
 * IPv4 addresses and prefixes as unsigned 32-bit numbers in host order, and the address classes the protocols ask about.
 * Never parses packets and never knows about interfaces.
 */

/** Unsigned 32-bit number: 239.1.1.1 is 0xef010101. */
export type Ipv4 = number;

export interface Ipv4Prefix {
  readonly address: Ipv4;
  /** 0 to 32. */
  readonly length: number;
}

const DIGIT_ZERO = 0x30;
/** As seen from the digits. */
const DOT = 0x2e - DIGIT_ZERO;

/** Dotted quad, or undefined when the text is not exactly one (no octal, no short forms, no spaces). */
export function parseIpv4(text: string): Ipv4 | undefined {
  let [address, octet, digits, dots] = [0, 0, 0, 0];
  // Character by character: there may be hundreds of thousands of them in one request.
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - DIGIT_ZERO;
    if (digit === DOT && digits > 0 && dots < 3) {
      address = address * 256 + octet;
      [octet, digits] = [0, 0];
      dots++;
    } else {
      const isLeadingZero = digits > 0 && octet === 0;
      if (digit < 0 || digit > 9 || isLeadingZero) return undefined;
      octet = octet * 10 + digit;
      digits++;
      if (octet > 255) return undefined;
    }
  }
  return dots === 3 && digits > 0 ? address * 256 + octet : undefined;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** "10.0.0.0/8"; a bare address is a /32. Host bits must be zero. undefined when the text is not a prefix. */
export function parsePrefix(text: string): Ipv4Prefix | undefined {
  const slash = text.indexOf('/');
  const address = parseIpv4(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash === -1) return { address, length: 32 };
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]?)$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  if (length > 32 || (address & ~prefixMask(length)) !== 0) return undefined;
  return { address, length };
}

/** An address within its subnet: "10.0.0.1/8". undefined when the text is not one, the length included. */
export function parseInterfaceAddress(text: string): Ipv4Prefix | undefined {
  const [addressText = '', lengthText = '', ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  const length = Number(lengthText);
  if (address === undefined || rest.length > 0 || !/^[1-9][0-9]?$/.test(lengthText) || length > 32) return undefined;
  return { address, length };
}

export function formatPrefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`;
}

export function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

export function prefixContains(prefix: Ipv4Prefix, address: Ipv4): boolean {
  const mask = prefixMask(prefix.length);
  return ((address & mask) >>> 0) === ((prefix.address & mask) >>> 0);
}

export function isMulticast(address: Ipv4): boolean {
  return address >>> 28 === 0xe;
}

/** 224.0.0.0/24, RFC 5771 §4: never forwarded off the link, never membership state. */
export function isLocalNetworkControl(address: Ipv4): boolean {
  return address >>> 8 === 0xe00000;
}

/** An address a host may send from: not 0/8, 127/8, class D or E, nor the limited broadcast. */
export function isUnicastSource(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
