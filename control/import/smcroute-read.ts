/**
 * The text of an smcroute.conf → what it says, line by line. Knows no xmcast words; what was not understood is noted and left out.
 */
import { printable } from '../config/printable';
import { isLocalNetworkControl, isMulticast, isUnicastSource, type Ipv4Prefix } from '../protocol/packet/address';
import { nameFault } from './interface-name';
import type { Notes } from './import-result';
import { noPrefix, readPrefix } from './read-prefix';
import { readLines, unknownWord, type Line, type Word } from './words';

export interface SmcPhyint {
  readonly line: number;
  /** Or a pattern: "eth+" is every name that begins with eth. */
  readonly name: string;
  readonly isDisabled: boolean;
  readonly threshold: number | undefined;
}

/** What mgroup and mroute have in common. */
export interface SmcFlow {
  readonly line: number;
  readonly from: string;
  /** undefined: every source. */
  readonly source: Ipv4Prefix | undefined;
  readonly group: Ipv4Prefix;
}

export interface SmcRoute extends SmcFlow {
  readonly to: readonly string[];
}

export interface SmcrouteFile {
  readonly phyints: readonly SmcPhyint[];
  readonly joins: readonly SmcFlow[];
  readonly routes: readonly SmcRoute[];
}

const DIRECTIVES = ['phyint', 'mgroup', 'mroute', 'include', 'ssmgroup'] as const;
const ARGUMENTS = ['from', 'source', 'group', 'to'] as const;
const PHYINT_WORDS = ['enable', 'disable', 'mrdisc', 'ttl-threshold'] as const;

type Argument = (typeof ARGUMENTS)[number];
/** What stands behind each of the words of an mgroup or mroute. */
type Arguments = Partial<Record<Argument, readonly Word[]>>;

export function readSmcroute(text: string, notes: Notes): SmcrouteFile {
  const reader = new SmcrouteReader(notes);
  for (const line of readLines(text)) reader.readLine(line);
  return reader.file;
}

export function isPattern(name: string): boolean {
  return name.length > 1 && name.endsWith('+');
}

class SmcrouteReader {
  readonly file = { phyints: [] as SmcPhyint[], joins: [] as SmcFlow[], routes: [] as SmcRoute[] };
  readonly #notes: Notes;

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  readLine({ line, words }: Line): void {
    const [directive, ...rest] = words;
    switch (directive?.text) {
      case 'phyint':
        return this.#readPhyint(line, rest);
      case 'mgroup':
      case 'ssmgroup':
        return this.#readJoin(line, rest);
      case 'mroute':
        return this.#readRoute(line, rest);
      case 'include':
        return this.#notes.warning(
          line,
          `include ${printable(rest[0]?.text ?? '')}: not followed; import those files too, or put them together before`,
        );
      default:
        return this.#notes.error(line, unknownWord(directive?.text ?? '', DIRECTIVES));
    }
  }

  #readPhyint(line: number, [name, ...rest]: readonly Word[]): void {
    if (name === undefined) return this.#notes.error(line, 'phyint: a name is missing behind it');
    if (!this.#isName(name)) return;
    let isDisabled = false;
    let threshold: number | undefined;
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      if (word.text === 'disable' || word.text === 'enable') isDisabled = word.text === 'disable';
      else if (word.text === 'mrdisc')
        this.#notes.warning(line, 'mrdisc: left out; multicast router discovery (RFC 4286) is not announced');
      else if (word.text === 'ttl-threshold') threshold = this.#readThreshold(line, rest.shift());
      else this.#notes.warning(line, `phyint: ${unknownWord(word.text, PHYINT_WORDS)}; smcroute passes over it`);
    }
    this.file.phyints.push({ line, name: name.text, isDisabled, threshold });
  }

  #readThreshold(line: number, word: Word | undefined): number | undefined {
    const value = /^[0-9]{1,3}$/.test(word?.text ?? '') ? Number(word?.text) : 0;
    if (value >= 1 && value <= 255) return value;
    this.#notes.error(line, `ttl-threshold: ${printable(word?.text ?? '')} is no number from 1 to 255; left out`);
    return undefined;
  }

  #readJoin(line: number, words: readonly Word[]): void {
    const flow = this.#flow(line, this.#arguments(line, words), 'mgroup');
    if (flow !== undefined) this.file.joins.push(flow);
  }

  #readRoute(line: number, words: readonly Word[]): void {
    const given = this.#arguments(line, words);
    const flow = this.#flow(line, given, 'mroute');
    const to = (given.to ?? []).filter((word) => this.#isName(word)).map(({ text }) => text);
    if (flow === undefined) return;
    if (to.length === 0) this.#notes.warning(line, 'mroute: goes nowhere, so its packets will be dropped and counted');
    this.file.routes.push({ ...flow, to });
  }

  #arguments(line: number, words: readonly Word[]): Arguments {
    const given: Arguments = {};
    const rest = [...words];
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      const name = ARGUMENTS.find((known) => known === word?.text);
      if (name === 'to') given.to = rest.splice(0);
      else if (name !== undefined) given[name] = rest.splice(0, 1);
      else this.#passOver(line, word, rest);
    }
    return given;
  }

  /** With what belongs to it: one note for one slip. */
  #passOver(line: number, word: Word, rest: Word[]): void {
    this.#notes.warning(line, `${unknownWord(word.text, ARGUMENTS)}; smcroute passes over it`);
    const next = rest.findIndex(({ text }) => ARGUMENTS.some((known) => known === text));
    rest.splice(0, next < 0 ? rest.length : next);
  }

  #flow(line: number, given: Arguments, directive: string): SmcFlow | undefined {
    const from = given.from?.[0];
    const group = given.group?.[0];
    if (from === undefined || group === undefined) {
      this.#notes.error(line, `${directive}: "from NAME" and "group ADDRESS" are needed; left out`);
      return undefined;
    }
    if (!this.#isName(from)) return undefined;
    const groups = this.#group(group);
    const source = given.source?.[0];
    const sources = source === undefined ? ANY_SOURCE : this.#source(source);
    return groups === undefined || sources === undefined
      ? undefined
      : { line, from: from.text, group: groups, source: sources.prefix };
  }

  #group(word: Word): Ipv4Prefix | undefined {
    const prefix = this.#prefix('group', word);
    if (prefix === undefined) return undefined;
    if (!isMulticast(prefix.address) || prefix.length < 4) {
      this.#notes.error(word.line, `group ${word.text}: not within 224.0.0.0/4; left out`);
    } else if (prefix.length >= 24 && isLocalNetworkControl(prefix.address)) {
      this.#notes.error(word.line, `group ${word.text}: within 224.0.0.0/24, which is never routed (RFC 5771); left out`);
    } else return prefix;
    return undefined;
  }

  /** `prefix` undefined: every source, which smcroute writes 0.0.0.0, with whatever length. */
  #source(word: Word): { readonly prefix: Ipv4Prefix | undefined } | undefined {
    if (/^0\.0\.0\.0(\/[0-9]{1,2})?$/.test(word.text)) return ANY_SOURCE;
    const prefix = this.#prefix('source', word);
    if (prefix === undefined) return undefined;
    if (isUnicastSource(prefix.address)) return { prefix };
    this.#notes.error(word.line, `source ${word.text}: no host has such an address; left out`);
    return undefined;
  }

  #prefix(keyword: string, word: Word): Ipv4Prefix | undefined {
    const read = readPrefix(word.text);
    if (read === undefined)
      this.#notes[word.text.includes(':') ? 'warning' : 'error'](word.line, `${keyword}: ${noPrefix(word.text)}`);
    else if (read.wasCut) this.#notes.info(word.line, `${keyword} ${word.text}: bits behind the length cut off`);
    return read?.prefix;
  }

  #isName({ text, line }: Word): boolean {
    const fault = nameFault(isPattern(text) ? text.slice(0, -1) : text);
    if (fault !== undefined) this.#notes.error(line, `${fault}; left out`);
    return fault === undefined;
  }
}

const ANY_SOURCE: { readonly prefix: undefined } = { prefix: undefined };
