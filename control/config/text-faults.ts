/**
 * What is wrong with the text of a name, path, server or fixed word, in the words of a problem. undefined: nothing.
 */
import { parseDnsServer } from './dns-server';
import { parseListen } from './listen';
import { printable } from './printable';
import { nearestWord } from './suggest';

/** What dev_valid_name() of the kernel takes, and no controls. */
export function interfaceNameFault(name: string): string | undefined {
  if (name === '') return 'a name is needed, as the kernel has it, such as "eth1"';
  const bytes = Buffer.byteLength(name);
  if (bytes > 15) return `${printable(name)} has ${bytes} bytes; Linux allows 15`;
  if (name === '.' || name === '..' || /[/:\s\p{Cc}]/u.test(name)) {
    return `${printable(name)} is no interface name; Linux allows no space, "/" or ":" in it, nor "." or ".." for all of it`;
  }
  return undefined;
}

export function pathFault(path: string, longest: number): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (!path.startsWith('/')) return `${printable(path)} is not an absolute path`;
  if (bytes > longest) return `${printable(path)} has ${bytes} bytes; allowed are ${longest}`;
  if (/\p{Cc}/u.test(path)) return `${printable(path)} has a control character`;
  const parts = path.slice(1).split('/');
  const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  return plain ? undefined : `${printable(path)} must not have empty, "." or ".." parts, nor end with "/"`;
}

export function listenFault(text: string): string | undefined {
  if (parseListen(text) !== undefined) return undefined;
  return `${printable(text)} is neither "off" nor address:port such as "127.0.0.1:9469" or "[::1]:9469", port 1 to 65535`;
}

export function dnsServerFault(text: string): string | undefined {
  if (parseDnsServer(text) !== undefined) return undefined;
  return (
    `${printable(text)} is neither an address nor address:port such as "192.0.2.53", "192.0.2.53:5353" or ` +
    '"[2001:db8::53]:5353", port 1 to 65535'
  );
}

/** RFC 1035 §2.3.4: a name has 255 bytes on the wire, so 253 as text. "255.255.255.239." goes in front. */
const LONGEST_DOMAIN = 253 - '255.255.255.239.'.length;
/** RFC 1035 §2.3.1, and the underscore that service names have (RFC 8552). */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

export function domainFault(text: string): string | undefined {
  const domain = text.replace(/\.$/, '');
  const bytes = Buffer.byteLength(domain);
  if (bytes > LONGEST_DOMAIN) {
    return `${printable(text)} has ${bytes} bytes; allowed are ${LONGEST_DOMAIN}, for the group goes in front`;
  }
  if (domain.split('.').every((label) => LABEL.test(label))) return undefined;
  return `${printable(text)} is no domain name; write it such as "ssm.example.net", each part of 1 to 63 letters, digits, "-" or "_"`;
}

export function wordFault(word: string, words: readonly string[]): string | undefined {
  if (words.includes(word)) return undefined;
  const nearest = nearestWord(word, words);
  const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return `is ${word === '' ? 'empty or left out' : printable(word)}; allowed are ${words.join(', ')}${meant}`;
}
