/**
 * A program for a namespace of the lab: the real KernelView on the real socket, its changes on stdout, questions on stdin.
 * One JSON array a line: ["ready"], ["changes", …], ["answer", …], ["error", …].
 *
 *     lookup 10.0.0.1     which interface and gateway a route look-up finds
 *     links               all links with their addresses
 *     statistics
 *     batch FILE          runs `ip -batch FILE` with the event loop stopped, so that notifications pile up
 */
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { NetlinkSocket } from '#bindings';
import type { KernelChange, LinkState } from '../../control/kernel/interface-table';
import { KernelView } from '../../control/kernel/kernel-view';
import { formatIpv4, parseIpv4 } from '../../control/protocol/packet/address';

function say(kind: string, ...rest: readonly unknown[]): void {
  process.stdout.write(`${JSON.stringify([kind, ...rest])}\n`);
}

function addressesOf(link: LinkState): string {
  return link.addresses.map(({ address, length }) => `${formatIpv4(address)}/${length}`).join(',');
}

function describeLink(link: LinkState): string {
  return `${link.name} ${link.up ? 'up' : 'down'} mtu ${link.mtu} ${link.kind} ${addressesOf(link)}`.trim();
}

function describeChange(change: KernelChange): string {
  switch (change.kind) {
    case 'routes-changed':
      return change.kind;
    case 'addresses-changed':
      return `${change.kind} ${change.link.name} ${addressesOf(change.link)}`.trim();
    case 'link-changed':
      return change.previous.name === change.link.name
        ? `${change.kind} ${describeLink(change.link)}`
        : `${change.kind} ${change.previous.name} is now ${change.link.name}`;
    case 'link-added':
    case 'link-removed':
      return `${change.kind} ${change.link.name}`;
  }
}

function answer(view: KernelView, line: string): unknown {
  const [command = '', argument = ''] = line.split(' ');
  switch (command) {
    case 'lookup': {
      const route = view.lookupRoute(parseIpv4(argument) ?? 0);
      if (route === undefined) return 'none';
      const gateway = route.gateway === undefined ? 'link' : formatIpv4(route.gateway);
      return `${gateway} dev ${view.linkByIndex(route.ifindex)?.name ?? route.ifindex} /${route.prefixLength}`;
    }
    case 'links':
      return view.links().map(describeLink);
    case 'statistics':
      return view.statistics;
    case 'batch':
      execFileSync('ip', ['-batch', argument]);
      return 'done';
    default:
      return `unknown command ${line}`;
  }
}

async function main(receiveBufferBytes: number): Promise<void> {
  const view = new KernelView({ openSocket: (options) => new NetlinkSocket(options), receiveBufferBytes });
  view.onChanges((changes) => say('changes', ...changes.map(describeChange)));
  view.onError((error) => say('error', error.message));
  await view.start();
  const questions = createInterface({ input: process.stdin });
  questions.on('line', (line) => say('answer', answer(view, line)));
  questions.on('close', () => view.close());
  say('ready');
}

main(Number(process.argv[2] ?? 1 << 20)).catch((error: unknown) => {
  say('error', String(error));
  process.exitCode = 1;
});
