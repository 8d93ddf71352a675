/**
 * The text of an igmpproxy.conf → what it says: one stream of words, lines mean nothing. Knows no xmcast words; what was not
 * understood is noted and passed over up to the next word that is known.
 */
import { printable } from '../config/printable';
import { isUnicastSource, type Ipv4Prefix } from '../protocol/packet/address';
import type { GroupFilterEntry } from './group-filter';
import { nameFault } from './interface-name';
import type { Notes } from './import-result';
import { noPrefix, readPrefix } from './read-prefix';
import { unknownWord, WordStream, type Word } from './words';

export interface Phyint {
  readonly name: Word;
  /** undefined: none was given, and none by default. */
  role: 'upstream' | 'downstream' | 'disabled' | undefined;
  threshold: { readonly value: number; readonly line: number } | undefined;
  readonly subnets: { readonly prefix: Ipv4Prefix; readonly line: number }[];
  readonly groups: GroupFilterEntry[];
}

export interface IgmpproxyFile {
  readonly phyints: readonly Phyint[];
  /** Lines of the words that are there. */
  readonly quickLeave: number | undefined;
  readonly defaultDown: number | undefined;
}

const FILE_WORDS = ['phyint', 'quickleave', 'hashtablesize', 'defaultdown', 'rescanvif', 'chroot', 'user'] as const;
const PHYINT_WORDS = [
  'upstream',
  'downstream',
  'disabled',
  'ratelimit',
  'threshold',
  'altnet',
  'whitelist',
  'blacklist',
] as const;
type FileWord = (typeof FILE_WORDS)[number];
type PhyintWord = (typeof PHYINT_WORDS)[number];
const KNOWN: readonly string[] = [...FILE_WORDS, ...PHYINT_WORDS];

export function readIgmpproxy(text: string, notes: Notes): IgmpproxyFile {
  return new IgmpproxyReader(new WordStream(text), notes).read();
}

class IgmpproxyReader {
  readonly #words: WordStream;
  readonly #notes: Notes;
  readonly #phyints: Phyint[] = [];
  #current: Phyint | undefined;
  #quickLeave: number | undefined;
  #defaultDown: number | undefined;

  constructor(words: WordStream, notes: Notes) {
    this.#words = words;
    this.#notes = notes;
  }

  read(): IgmpproxyFile {
    for (let word = this.#words.take(); word !== undefined; word = this.#words.take()) this.#readWord(word);
    return { phyints: this.#phyints, quickLeave: this.#quickLeave, defaultDown: this.#defaultDown };
  }

  #readWord(word: Word): void {
    if (isOf(FILE_WORDS, word.text)) return this.#readFileWord(word.text, word.line);
    if (!isOf(PHYINT_WORDS, word.text)) return this.#passOver(word);
    if (this.#current !== undefined) return this.#readPhyintWord(word.text, word.line, this.#current);
    this.#notes.error(word.line, `${word.text}: belongs behind a phyint and its name`);
    if (!['upstream', 'downstream', 'disabled'].includes(word.text)) this.#argument(word.text, word.line);
  }

  #readFileWord(word: FileWord, line: number): void {
    switch (word) {
      case 'phyint':
        return this.#readPhyint(line);
      case 'quickleave':
        this.#quickLeave ??= line;
        return;
      case 'defaultdown':
        this.#defaultDown ??= line;
        return;
      case 'hashtablesize':
        this.#argument(word, line);
        return this.#notes.info(
          line,
          'hashtablesize: not needed, every host is remembered by its address (igmp.max_tracked_hosts limits them)',
        );
      case 'rescanvif':
        return this.#notes.info(line, 'rescanvif: not needed, interfaces are followed as they come and go');
      case 'chroot':
      case 'user':
        this.#argument(word, line);
        return this.#notes.warning(
          line,
          `${word}: left out; rights and file system are a matter of the service that starts xmcastd`,
        );
    }
  }

  #readPhyint(line: number): void {
    this.#current = undefined;
    const name = this.#argument('phyint', line);
    if (name === undefined) return;
    const role = this.#defaultDown === undefined ? undefined : 'downstream';
    this.#current = { name, role, threshold: undefined, subnets: [], groups: [] };
    // An address label is looked at later, with the device it belongs to.
    const fault = /^[^:]+:[^:]+$/.test(name.text) ? undefined : nameFault(name.text);
    if (fault === undefined) this.#phyints.push(this.#current);
    else this.#notes.error(name.line, `phyint: ${fault}; left out`);
  }

  #readPhyintWord(word: PhyintWord, line: number, phyint: Phyint): void {
    switch (word) {
      case 'upstream':
      case 'downstream':
      case 'disabled':
        phyint.role = word;
        return;
      case 'ratelimit':
        return this.#readRateLimit(line);
      case 'threshold':
        phyint.threshold = this.#readThreshold(line) ?? phyint.threshold;
        return;
      case 'altnet':
        return this.#readSubnet(line, phyint);
      case 'whitelist':
      case 'blacklist':
        return this.#readGroups(word, line, phyint);
    }
  }

  #readRateLimit(line: number): void {
    const limit = this.#argument('ratelimit', line);
    if (limit === undefined || limit.text === '0') return;
    this.#notes.warning(
      line,
      `ratelimit ${printable(limit.text)}: left out; nothing limits rates here, and the Linux kernel never followed it`,
    );
  }

  #readThreshold(line: number): Phyint['threshold'] {
    const word = this.#argument('threshold', line);
    if (word === undefined) return undefined;
    const value = /^[0-9]{1,3}$/.test(word.text) ? Number(word.text) : 0;
    if (value >= 1 && value <= 255) return { value, line: word.line };
    this.#notes.error(word.line, `threshold: ${printable(word.text)} is no number from 1 to 255; left out`);
    return undefined;
  }

  #readSubnet(line: number, phyint: Phyint): void {
    const prefix = this.#prefix('altnet', line);
    if (prefix === undefined) return;
    const hasHosts = prefix.length < 8 ? prefix.address >>> 29 !== 7 : isUnicastSource(prefix.address);
    if (hasHosts) phyint.subnets.push({ prefix, line });
    else this.#notes.error(line, 'altnet: no host has an address in it; left out');
  }

  #readGroups(word: 'whitelist' | 'blacklist', line: number, phyint: Phyint): void {
    const prefix = this.#prefix(word, line);
    if (prefix !== undefined) phyint.groups.push({ allow: word === 'whitelist', prefix });
  }

  #prefix(keyword: string, line: number): Ipv4Prefix | undefined {
    const word = this.#argument(keyword, line);
    if (word === undefined) return undefined;
    const read = readPrefix(word.text);
    if (read === undefined) this.#notes.error(word.line, `${keyword}: ${noPrefix(word.text)}`);
    else if (read.wasCut)
      this.#notes.warning(
        word.line,
        `${keyword} ${word.text}: bits behind the length cut off; igmpproxy lets such an entry match nothing`,
      );
    return read?.prefix;
  }

  /** A known word is no value of the one before it: something was forgotten in between. */
  #argument(keyword: string, line: number): Word | undefined {
    const next = this.#words.peek();
    if (next !== undefined && !KNOWN.includes(next.text)) return this.#words.take();
    this.#notes.error(line, `${keyword}: a value is missing behind it`);
    return undefined;
  }

  /** With what belongs to it, which cannot be known: so up to the next known word. */
  #passOver(word: Word): void {
    this.#notes.error(word.line, unknownWord(word.text, KNOWN));
    for (let next = this.#words.peek(); next !== undefined && !KNOWN.includes(next.text); next = this.#words.peek())
      this.#words.take();
  }
}

function isOf<Known extends string>(words: readonly Known[], word: string): word is Known {
  return (words as readonly string[]).includes(word);
}
