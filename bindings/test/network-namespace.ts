/**
 * A network namespace that holds one veth pair:
 *
 *     +--- namespace ---------------+
 *     |   left  <------->  right    |
 *     |  10.9.1.1/24   10.9.2.1/24  |
 *     +-----------------------------+
 */
import { execFileSync } from 'node:child_process';

import { type Bindings, evaluate } from './child-process';

let created = 0;

export class NetworkNamespace {
  readonly name = `xmcast-bindings-${process.pid}-${(created += 1)}`;
  readonly left: number;
  readonly right: number;

  constructor() {
    execFileSync('ip', ['netns', 'add', this.name]);
    // No IPv6: its neighbour discovery would mix with the frames of the tests.
    this.#sysctl('net.ipv6.conf.default.disable_ipv6=1');
    this.ip('link set lo up');
    this.ip('link add left type veth peer name right');
    this.ip('address add 10.9.1.1/24 dev left');
    this.ip('address add 10.9.2.1/24 dev right');
    this.ip('link set left up');
    this.ip('link set right up');
    this.left = this.#ifindex('left');
    this.right = this.#ifindex('right');
  }

  ip(command: string): string {
    return execFileSync('ip', ['-n', this.name, ...command.split(' ')], { encoding: 'utf8' });
  }

  /** As evaluate() of child-process.ts, inside this namespace. */
  evaluate<Arguments, Result>(
    body: (bindings: Bindings, args: Arguments) => Result | Promise<Result>,
    args: Arguments,
  ): Promise<Result> {
    return evaluate(body, args, { namespace: this.name });
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
  }

  #ifindex(name: string): number {
    const [link] = JSON.parse(this.ip(`-j link show ${name}`)) as [{ ifindex: number }];
    return link.ifindex;
  }

  #sysctl(setting: string): void {
    execFileSync('ip', ['netns', 'exec', this.name, 'sysctl', '-q', '-w', setting]);
  }
}
