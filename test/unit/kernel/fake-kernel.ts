/**
 * The kernel's end of an rtnetlink socket for tests: holds tables, answers dump requests when told to, sends notifications.
 */
import type { NativeError } from '#bindings';
import type { NetlinkSocketLike, NetlinkSocketOptions } from '../../../control/kernel/kernel-view';
import * as build from './netlink-builder';

type Part = 'links' | 'addresses' | 'routes';
const PART_BY_REQUEST: Readonly<Record<number, Part>> = { 18: 'links', 22: 'addresses', 26: 'routes' };

export class FakeKernel {
  links: build.LinkOptions[] = [];
  addresses: build.AddressOptions[] = [];
  routes: build.RouteOptions[] = [];
  /** Dump requests not answered yet. */
  readonly requests: { readonly part: Part; readonly sequence: number }[] = [];
  requestsSeen = 0;
  closed = 0;
  options: NetlinkSocketOptions | undefined;
  /** Thrown by the next send. */
  sendError: Error | undefined;

  readonly openSocket = (options: NetlinkSocketOptions): NetlinkSocketLike => {
    this.options = options;
    return { send: (datagram) => this.#receive(datagram), close: () => void (this.closed += 1) };
  };

  #receive(datagram: Uint8Array): void {
    const error = this.sendError;
    this.sendError = undefined;
    if (error !== undefined) throw error;
    const header = Buffer.from(datagram);
    const part = PART_BY_REQUEST[header.readUInt16LE(4)];
    if (part === undefined) throw new Error('request of an unknown type');
    this.requests.push({ part, sequence: header.readUInt32LE(8) });
    this.requestsSeen += 1;
  }

  /** Answers the oldest request: its entries one a datagram, then the end. */
  answer({ interrupted = false, errno = 0 } = {}): Part {
    const request = this.requests.shift();
    if (request === undefined) throw new Error('nothing was asked for');
    const { part, sequence } = request;
    const flags = build.MULTI | (interrupted ? build.DUMP_INTR : 0);
    for (const [type, payload] of this.#entries(part)) this.deliver(build.message(type, payload, { flags, sequence }));
    this.deliver(build.done(sequence, errno));
    return part;
  }

  /** Answers until nothing is asked any more. */
  answerAll(): readonly Part[] {
    const parts: Part[] = [];
    while (this.requests.length > 0) parts.push(this.answer());
    return parts;
  }

  deliver(...messages: readonly Uint8Array[]): void {
    this.options?.onMessage(build.join(...messages));
  }

  fail(code: string): void {
    const error = Object.assign(new Error(`receive: ${code}`), { errno: 1, code, operation: 'receive', libbpfLog: '' });
    this.options?.onError(error satisfies NativeError);
  }

  #entries(part: Part): readonly (readonly [number, Uint8Array])[] {
    switch (part) {
      case 'links':
        return this.links.map((link) => [build.NEWLINK, build.linkPayload(link)]);
      case 'addresses':
        return this.addresses.map((address) => [build.NEWADDR, build.addressPayload(address)]);
      case 'routes':
        return this.routes.map((route) => [build.NEWROUTE, build.routePayload(route)]);
    }
  }
}
