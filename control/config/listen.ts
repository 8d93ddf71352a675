/**
 * The text of metrics.listen: "address:port" or "off".
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface ListenAddress {
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** undefined when the text is neither. Names are refused: what they stand for may change, or be missing at boot. */
export function parseListen(text: string): ListenAddress | 'off' | undefined {
  if (text === 'off') return 'off';
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]{1,15})?)\]|([0-9.]+)):([1-9][0-9]{0,4})$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, ipv4 = '', portText] = match;
  const port = Number(portText);
  if (port > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { host: ipv6, port } : undefined;
  return isIPv4(ipv4) ? { host: ipv4, port } : undefined;
}
