/**
 * xmcastctl against a server of the API whose state each test fills by hand.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import type { NetworkSettings } from '../../../control/api/network';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { type CliIo, runCli } from '../../../control/cli/run';
import { EventLog } from '../../../control/events';
import { systemClock } from '../../../control/kernel/clock';
import { FakeControl } from '../api/fake-control';
import { FakeState } from '../api/fake-state';
import { RecordedLog } from '../api/recorded-log';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliUnderTest {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-cli-'));
  readonly socketPath = path.join(this.folder, 'control.sock');
  readonly state = new FakeState();
  readonly control = new FakeControl();
  readonly events = new EventLog({ log: new RecordedLog(), clock: systemClock });
  #server: ApiServer | undefined;

  /** Also over TCP, if told. */
  async start(network?: NetworkSettings): Promise<this> {
    const tcp = network === undefined ? {} : { network };
    const { socketPath, state, control, events } = this;
    this.#server = await startApiServer({ socketPath, state, control, events, log: new RecordedLog(), ...tcp });
    return this;
  }

  /** XMCAST_TARGET names the server. */
  async run(argv: readonly string[], io: Partial<CliIo> = {}): Promise<Outcome> {
    let stdout = '';
    let stderr = '';
    const status = await runCli(argv, {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      env: { XMCAST_TARGET: `unix://${this.socketPath}` },
      isTerminal: false,
      ...io,
    });
    return { status, stdout, stderr };
  }

  /** The lines of the table that a command prints, without their ends. */
  async lines(...argv: readonly string[]): Promise<readonly string[]> {
    return linesOf((await this.run(argv)).stdout);
  }

  /** As lines(), each as its cells: columns are two spaces apart at least. */
  async cells(...argv: readonly string[]): Promise<readonly (readonly string[])[]> {
    return (await this.lines(...argv)).map((line) => line.split(/ {2,}/));
  }

  async close(): Promise<void> {
    await this.#server?.close();
    rmSync(this.folder, { recursive: true });
  }
}

export function linesOf(text: string): string[] {
  return text.trimEnd().split('\n');
}
