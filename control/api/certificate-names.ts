/**
 * The names in a client's certificate, as rules match them.
 */
import type { PeerCertificate } from 'node:tls';

/** A name of the subject alternative names as Node prints them; one with special characters is in JSON. */
const ALTERNATIVE = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/y;
const MAX_NAMES = 64;

/**
 * URIs and DNS names (these in lower case). RFC 6125 §6.4.4: the common name, as "CN=name", only where there is neither. The first one
 * names the client in logs.
 */
export function certificateNames({ subjectaltname, subject }: Pick<PeerCertificate, 'subjectaltname' | 'subject'>): string[] {
  const names = alternativeNames(subjectaltname ?? '');
  if (names.length > 0) return names;
  // More than one common name comes as a list: whose it is is anybody's guess.
  const commonName: unknown = subject?.CN;
  return typeof commonName === 'string' && commonName !== '' ? [`CN=${commonName}`] : [];
}

function alternativeNames(text: string): string[] {
  const names: string[] = [];
  ALTERNATIVE.lastIndex = 0;
  for (let match = ALTERNATIVE.exec(text); match !== null && names.length < MAX_NAMES; match = ALTERNATIVE.exec(text)) {
    const [, kind, printed = ''] = match;
    const name = printed.startsWith('"') ? unquoted(printed) : printed;
    if (kind === 'URI') names.push(name);
    if (kind === 'DNS') names.push(name.toLowerCase());
  }
  return names.filter((name) => name !== '');
}

function unquoted(printed: string): string {
  try {
    return String(JSON.parse(printed));
  } catch {
    // Not as Node prints it: no name that a rule could match.
    return '';
  }
}
