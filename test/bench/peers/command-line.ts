/** Option values of the benches that compare routers, and what their results say about the machine. */
import { cpus, release } from 'node:os';
import { InvalidArgumentError } from 'commander';
import { ROUTER_NAMES, type RouterName } from './routers';

export interface Environment {
  readonly kernel: string;
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
}

export function environment(): Environment {
  const [cpu] = cpus();
  return { kernel: release(), node: process.version, cpu: cpu?.model ?? 'unknown', cpus: cpus().length };
}

export function integerFrom(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

export function listOf<T>(one: (text: string) => T): (text: string) => readonly T[] {
  return (text) => text.split(',').map(one);
}

export function routerList(text: string): readonly RouterName[] {
  return text.split(',').map((word) => {
    const name = ROUTER_NAMES.find((known) => known.toLowerCase() === word.toLowerCase());
    if (name === undefined) throw new InvalidArgumentError(`Expected names out of ${ROUTER_NAMES.join(', ')}.`);
    return name;
  });
}

export function failWith(name: string): (error: unknown) => void {
  return (error) => {
    process.stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  };
}
