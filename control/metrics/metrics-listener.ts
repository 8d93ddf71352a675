/**
 * The metrics server of a running daemon as its address changes. Never leaves it without one because the next address cannot be had.
 */
import type { Settings } from '../config/settings';
import { startMetricsServer, type MetricsServer, type MetricsServerOptions } from './server';

type Address = Settings['metrics'];

export class MetricsListener {
  readonly #options: Omit<MetricsServerOptions, 'host' | 'port'>;
  #address: Address;
  #server: MetricsServer | undefined;

  constructor(options: Pick<MetricsServerOptions, 'state' | 'api' | 'log'>) {
    this.#options = options;
  }

  /** undefined: no listener. Rejects with XmcastError: then the one before listens on. */
  async follow(address: Address): Promise<void> {
    if (address?.host === this.#address?.host && address?.port === this.#address?.port) return;
    // Closed first: the next address may be the same port on another host.
    const before = this.#address;
    await this.close();
    try {
      await this.#open(address);
    } catch (error) {
      await this.#open(before);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.#address = undefined;
  }

  async #open(address: Address): Promise<void> {
    if (address === undefined) return;
    const { host, port } = (this.#server = await startMetricsServer({ ...this.#options, ...address }));
    this.#address = address;
    this.#options.log.info({ host, port }, `metrics on http://${host}:${port}/metrics`);
  }
}
