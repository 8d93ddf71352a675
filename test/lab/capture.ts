/**
 * tcpdump on one interface, from the moment it really listens to the moment it has written what it saw.
 */
import { readFile } from 'node:fs/promises';
import { eventually } from './eventually';
import type { LabProcess } from './lab-process';
import { readPcap, type CapturedFrame } from './pcap';

export class Capture {
  readonly file: string;
  readonly #process: LabProcess;

  constructor(child: LabProcess, file: string) {
    this.#process = child;
    this.file = file;
  }

  /** Resolves when frames from now on are captured. */
  async listening(): Promise<void> {
    await eventually(() => this.#process.stderr.includes('listening on') || this.#failWhenEnded(), { what: 'tcpdump listens' });
  }

  /** What has been captured so far. A frame appears here a moment after it was seen: ask eventually(). */
  async frames(): Promise<readonly CapturedFrame[]> {
    return readPcap(await readFile(this.file));
  }

  /** Ends the capture. Fails when the kernel dropped frames before tcpdump took them: an absent frame would prove nothing. */
  async stop(): Promise<readonly CapturedFrame[]> {
    if (!this.#process.hasExited) this.#process.signal('SIGINT');
    await this.#process.exited;
    const dropped = /(\d+) packets? dropped by kernel/.exec(this.#process.stderr)?.[1];
    if (dropped !== '0') throw new Error(`capture is not complete: ${this.#process.describeEnd()}`);
    return this.frames();
  }

  #failWhenEnded(): false {
    if (this.#process.hasExited) throw new Error(this.#process.describeEnd());
    return false;
  }
}

/** -U and immediate mode: frames reach the file one by one. -Z root: the scratch directory is not open to tcpdump's own user. */
export function captureArguments(interfaceName: string, file: string, filter: string | undefined): readonly string[] {
  const argv = ['tcpdump', '-n', '-U', '--immediate-mode', '-B', '32768', '-Z', 'root', '-i', interfaceName, '-w', file];
  return filter === undefined ? argv : [...argv, filter];
}
