/**
 * grpc.health.v1 with typed keys. The services serve as long as the socket is open, also while the forwarder is not up (GetStatus then
 * says why); "" and "dataplane" follow the router's readiness, which is looked at every second so that watchers hear of it.
 */
import type { Server } from '@grpc/grpc-js';
import { HealthImplementation, type ServingStatus } from 'grpc-health-check';

import { CONFIG_SERVICE_NAME, STATE_SERVICE_NAME, STATIC_ENTRY_SERVICE_NAME, SYSTEM_SERVICE_NAME } from './services';

const SERVICE_KEYS = [CONFIG_SERVICE_NAME, STATE_SERVICE_NAME, STATIC_ENTRY_SERVICE_NAME, SYSTEM_SERVICE_NAME] as const;
const READINESS_KEYS = ['', 'dataplane'] as const;
const LOOK_INTERVAL_MS = 1000;

export class Health {
  readonly #implementation = new HealthImplementation();
  readonly #isReady: () => boolean;
  readonly #services: readonly string[];
  readonly #timer: NodeJS.Timeout;
  #allowed = true;
  /** What READINESS_KEYS say now: watchers hear of changes only. */
  #shown: ServingStatus | undefined;

  /** `services`: their full names. */
  constructor(isReady: () => boolean, services: readonly string[] = SERVICE_KEYS) {
    this.#isReady = isReady;
    this.#services = services;
    this.#set(services, 'SERVING');
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** false: not serving, whatever the router says. true, as at the start: as ready as the router. Takes effect at once. */
  setServing(allowed: boolean): void {
    this.#allowed = allowed;
    this.#look();
  }

  /** For good: tells watchers before their streams end. */
  stop(): void {
    clearInterval(this.#timer);
    this.setServing(false);
    this.#set(this.#services, 'NOT_SERVING');
  }

  #look(): void {
    const status = this.#allowed && this.#isReadyNow() ? 'SERVING' : 'NOT_SERVING';
    if (status === this.#shown) return;
    this.#shown = status;
    this.#set(READINESS_KEYS, status);
  }

  #isReadyNow(): boolean {
    try {
      return this.#isReady();
    } catch {
      // A router that cannot say how it is is not ready; GetStatus, which asks the same, logs the reason.
      return false;
    }
  }

  #set(keys: readonly string[], status: ServingStatus): void {
    for (const key of keys) this.#implementation.setStatus(key, status);
  }
}
