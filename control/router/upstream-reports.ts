/**
 * Tells the host side of each upstream what to ask for there. Compares nothing and keeps nothing: the machines know what they have
 * reported and send the difference.
 */
import type { Mrib } from '../mrib/mrib';
import { upstreamFilter } from '../mrib/upstream-filter';
import type { Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';
import type { RouterReversePath } from './reverse-path';

export class UpstreamReports {
  readonly #mrib: Mrib;
  readonly #path: RouterReversePath;
  #upstreams: readonly Port[] = [];
  /** Which upstreams the reports stand for. */
  #servedBy = '';

  constructor(mrib: Mrib, path: RouterReversePath) {
    this.#mrib = mrib;
    this.#path = path;
  }

  groupChanged(group: Ipv4): void {
    const demands = this.#mrib.demandsOf(group);
    for (const port of this.#upstreams) port.inputToHost({ kind: 'wanted', group, filter: upstreamFilter(port.vport, group, demands, this.#path) });
  }

  /** Interfaces have changed. When other upstreams are in use than before, each may serve any group now. */
  interfacesChanged(ports: readonly Port[]): void {
    this.#upstreams = ports.filter((port) => port.host !== undefined);
    if (this.#path.upstreamsName === this.#servedBy) return;
    this.#servedBy = this.#path.upstreamsName;
    const groups = new Set(this.#mrib.wantedGroups());
    for (const port of this.#upstreams) for (const { group } of port.host?.wanted() ?? []) groups.add(group);
    for (const group of groups) this.groupChanged(group);
  }

  /** What has changed since the last call goes out together. */
  flush(nowMs: number): void {
    for (const port of this.#upstreams) {
      const deadlineMs = port.nextDeadline();
      if (deadlineMs !== undefined && deadlineMs <= nowMs) port.advance();
    }
  }
}
