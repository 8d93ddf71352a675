/**
 * Short commands (`ip`, `ethtool`, `gcc`): run, wait, and fail with what was run and what it said. Never used for programs that
 * stay.
 */
import { execFile } from 'node:child_process';

export interface CommandOptions {
  /** Written to the command's stdin. Default: nothing. */
  readonly input?: string;
  /** Default 20 s; then the command is killed and the call fails. */
  readonly timeoutMs?: number;
}

/** Building a lab asks for hundreds of commands at once; more than this many processes only get in each other's way. */
const MAX_RUNNING = 4;
let running = 0;
const waiting: (() => void)[] = [];

/** Resolves with stdout. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  if (running >= MAX_RUNNING) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await execute(argv, options);
  } finally {
    const next = waiting.shift();
    if (next !== undefined) next();
    else running -= 1;
  }
}

function execute(argv: readonly string[], options: CommandOptions): Promise<string> {
  const [file = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const settings = { timeout: options.timeoutMs ?? 20_000, killSignal: 'SIGKILL', maxBuffer: 64 << 20 } as const;
    const child = execFile(file, rest, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(failureText(argv, options, `${error.code ?? error.signal}`, stderr), { cause: error }));
    });
    // A command that ends without reading its input breaks the pipe; its exit status tells the story.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

function failureText(argv: readonly string[], options: CommandOptions, status: string, stderr: string): string {
  const input = options.input === undefined ? '' : `\nwith input:\n${options.input}`;
  return `${argv.join(' ')}: ended with ${status}: ${stderr.trim()}${input}`;
}
