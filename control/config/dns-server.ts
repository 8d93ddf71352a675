/**
 * The text of one name server: "address" or "address:port", an IPv6 address in brackets when a port follows.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** RFC 1035 §4.2. */
const DNS_PORT = 53;

/** "address:port" or "[address]:port". undefined when the text is neither; names are refused, because who would resolve them? */
export function parseDnsServer(text: string): string | undefined {
  if (isIPv6(text)) return text.includes('%') ? undefined : `[${text}]:${DNS_PORT}`;
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([1-9][0-9]{0,4}))?$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, ipv4 = '', portText] = match;
  const port = portText === undefined ? DNS_PORT : Number(portText);
  if (port > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? `[${ipv6}]:${port}` : undefined;
  return isIPv4(ipv4) ? `${ipv4}:${port}` : undefined;
}
