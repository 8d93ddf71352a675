/**
 * How much is logged: as the configuration says, or for a while as somebody asked. It comes back by itself, so that nobody leaves a box
 * logging every packet.
 */
import type { EventSink } from './events';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevelName = (typeof LOG_LEVELS)[number];

export interface LogLevelOptions {
  /** pino fits as it is. */
  readonly log: { level: string };
  readonly configured: LogLevelName;
  readonly events: EventSink;
  readonly nowWallMs: () => number;
}

export interface LogLevelState {
  readonly level: LogLevelName;
  /** undefined: it is that of the configuration. */
  readonly revertWallMs: number | undefined;
}

export class LogLevel {
  readonly #options: LogLevelOptions;
  #configured: LogLevelName;
  #override: { readonly level: LogLevelName; readonly untilWallMs: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(options: LogLevelOptions) {
    this.#options = options;
    this.#configured = options.configured;
    this.#apply();
  }

  get state(): LogLevelState {
    return { level: this.#override?.level ?? this.#configured, revertWallMs: this.#override?.untilWallMs };
  }

  /** What the configuration says now; an override holds on until its time is over. */
  follow(configured: LogLevelName): void {
    this.#configured = configured;
    this.#apply();
  }

  set(level: LogLevelName, durationMs: number): LogLevelState {
    clearTimeout(this.#override?.timer);
    const timer = setTimeout(() => this.revert(), durationMs).unref();
    const untilWallMs = this.#options.nowWallMs() + durationMs;
    this.#override = { level, untilWallMs, timer };
    this.#tell(`the log has level ${level} until ${new Date(untilWallMs).toISOString()}`);
    this.#apply();
    return this.state;
  }

  /** Back to that of the configuration. */
  revert(): LogLevelState {
    if (this.#override !== undefined) {
      clearTimeout(this.#override.timer);
      this.#override = undefined;
      this.#apply();
      this.#tell(`the log has level ${this.#configured} again, as configured`);
    }
    return this.state;
  }

  close(): void {
    clearTimeout(this.#override?.timer);
  }

  #apply(): void {
    this.#options.log.level = this.state.level;
  }

  #tell(text: string): void {
    this.#options.events.report({ type: 'log-level-changed', text });
  }
}
