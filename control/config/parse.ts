/**
 * Text of a configuration file (YAML 1.2, and so JSON) → Config message. Finds every problem of form, each with its line and column;
 * what the values mean is validate.ts. Never throws on any text, and its cost is bounded.
 */
import { isAlias, isMap, isScalar, Lexer, LineCounter, parseDocument, visit, type Alias, type Document, type Node } from 'yaml';
import { xmcast } from '#proto';
import { escapeControls } from './printable';
import { configSchema } from './schema';
import type { Problem } from './settings';
import { MAX_PROBLEMS, positionAt, TreeReader } from './read-tree';
import { SourceMap } from './source-map';

export const MAX_FILE_BYTES = 4 * 1024 * 1024;
/**
 * The YAML reader needs about 4 µs and at worst 600 bytes for each token, bad ones included. 16,384 static routes have 850,000, as
 * many SSM mappings 400,000, 1,024 interfaces with every timer 150,000.
 */
export const MAX_TOKENS = 1_500_000;

/** More than any key needs. An open bracket costs the reader ten times as much as another token. */
const MAX_DEPTH = 100;
const BRACKETS: ReadonlyMap<string, number> = new Map([
  ['[', 1],
  ['{', 1],
  [']', -1],
  ['}', -1],
]);
const TOO_DEEP = 'nested too deeply';

export interface ParsedConfig {
  /** undefined when there is any problem. */
  readonly config: xmcast.v1.Config | undefined;
  /** What could be read, for further checks beside the problems. undefined when the text is no mapping. */
  readonly draft: xmcast.v1.Config | undefined;
  readonly problems: readonly Problem[];
  /** Gives a problem found later its line and column. */
  readonly locate: (problem: Problem) => Problem;
}

export function parseConfigYaml(text: string): ParsedConfig {
  const tooLarge = sizeProblem(text);
  if (tooLarge !== undefined) return unreadable([tooLarge]);
  const lines = new LineCounter();
  const document = withoutStackTraces(() => parseYaml(text, lines));
  const problems = syntaxProblems(document, lines);
  return problems.length > 0 ? unreadable(problems) : readDocument(document, lines);
}

function parseYaml(text: string, lineCounter: LineCounter): Document.Parsed {
  return parseDocument(text, {
    lineCounter,
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    prettyErrors: false,
    // The check of the reader is quadratic; TreeReader has its own.
    uniqueKeys: false,
    // With 'silent' it would keep a second document to itself.
    logLevel: 'error',
  });
}

/** The reader makes an Error of every fault. On a file of nothing else their stack traces, which nobody reads, are most of the cost. */
function withoutStackTraces<Result>(work: () => Result): Result {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function readDocument(document: Document.Parsed, lines: LineCounter): ParsedConfig {
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    return unreadable([problemAt('the file is empty; at least one interface is needed')]);
  }
  const sourceMap = new SourceMap();
  sourceMap.set('', positionAt(lines, root.range[0]));
  const reader = new TreeReader({ lines, aliases: resolveAliases(document), sourceMap });
  const plain = reader.readMessage(root, configSchema(), '');
  if (!isMap(root)) return unreadable(reader.problems);
  const draft = xmcast.v1.Config.fromObject(plain);
  const config = reader.problems.length === 0 ? draft : undefined;
  return { config, draft, problems: reader.problems, locate: (problem) => sourceMap.locate(problem) };
}

function sizeProblem(text: string): Problem | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FILE_BYTES) return problemAt(`the file has ${bytes} bytes; allowed are ${MAX_FILE_BYTES}`);
  let tokens = 0;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    tokens++;
    if (tokens > MAX_TOKENS) return problemAt(`the file has more than ${MAX_TOKENS} YAML tokens`);
    depth += BRACKETS.get(token) ?? 0;
    if (depth > MAX_DEPTH) return problemAt(TOO_DEEP);
  }
  return undefined;
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter): Problem[] {
  // A tag nobody knows is only a warning to the reader, but its author meant something by it.
  const all = [...document.errors, ...document.warnings];
  // Beyond the depth the reader goes to it understands nothing, and says so at every bracket.
  const tooDeep = all.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  const found = tooDeep === undefined ? all.slice(0, MAX_PROBLEMS) : [tooDeep];
  return found.map((error) => problemAt(syntaxMessage(error.code, error.message), positionAt(lines, error.pos[0])));
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'more than one YAML document; a configuration is one';
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  return `not YAML: ${escapeControls(message.replace(/\s+/g, ' ')).slice(0, 200)}`;
}

/** YAML 1.2 §7.1: an alias means the nearest node before it with that anchor. One walk, because the reader's own costs one each. */
function resolveAliases(document: Document.Parsed): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const aliases = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) aliases.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return aliases;
}

function unreadable(problems: readonly Problem[]): ParsedConfig {
  return { config: undefined, draft: undefined, problems, locate: (problem) => ({ ...problem, line: 1, column: 1 }) };
}

function problemAt(message: string, position = { line: 1, column: 1 }): Problem {
  return { path: '', ...position, message };
}
