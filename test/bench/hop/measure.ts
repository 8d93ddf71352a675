/** One form of the product under all measurements: both halves in one process, or in two with a unix socket between them. */
import { join } from 'node:path';
import { eventually } from '../../lab/eventually';
import { inRepository } from '../../lab/repository';
import { splitRoles, startDataplane } from '../../lab/split-roles';
import { createStar, hostAddress, type Star } from '../../lab/star';
import { TrafficProcess } from '../../lab/traffic-process';
import { interfacesOf } from '../../lab/xdp-forwarder';
import { spreadMs } from '../join/results';
import { createRouterBed } from '../peers/routers';
import type { Answers, Request } from './protocol';
import type { Form, Measured } from './results';

export interface HopOptions {
  readonly trials: number;
  readonly singles: number;
  readonly routes: number;
  readonly counterRoutes: number;
  readonly reads: number;
  readonly punts: number;
}

const WORKER = 'build/test/bench/hop/worker.js';
const LISTS = [1, 256];
const STREAM_PPS = 10_000;
const JOIN_TIMEOUT_MS = 1000;
const WARM_MS = 30;
const PRIMING_TRIALS = 20;
const SPARE_ROUTES = 1024;
/** Groups of one report; so many reports make no more than a packet each. */
const RECORDS = 8;

export async function measureForm(form: Form, options: HopOptions): Promise<Measured> {
  const joins = await measureJoins(form, options);
  return { form, joins, ...(await measureParts(form, options)) };
}

/** The whole way: report, ring buffer, controller, route, first frame. */
async function measureJoins(form: Form, { trials }: HopOptions): Promise<Measured['joins']> {
  splitRoles(form === 'split');
  const bed = await createRouterBed('xmcast', { groups: 3 * trials + PRIMING_TRIALS }).finally(() => splitRoles(false));
  try {
    const zapper = await bed.lab.zapper({ source: bed.source, host: bed.host, other: bed.other, version: 3 });
    const common = { rate: STREAM_PPS, warmMs: WARM_MS, timeoutMs: JOIN_TIMEOUT_MS };
    await zapper.join({ method: 'unknown', firstGroup: '239.40.0.0', count: PRIMING_TRIALS, ...common });
    const { delaysNs, missing } = await zapper.join({ method: 'unknown', firstGroup: '239.41.0.0', count: trials, ...common });
    return { trials, missing, delayMs: spreadMs(delaysNs) };
  } finally {
    await bed.close();
  }
}

async function measureParts(form: Form, options: HopOptions): Promise<Omit<Measured, 'form' | 'joins'>> {
  const star = await createStar('bench-hop', [{ name: 'host' }, { name: 'other' }]);
  try {
    const ask = await openWorker(star, form, Math.max(options.routes, options.counterRoutes) + SPARE_ROUTES);
    const { confirmedUs } = await ask({ do: 'singles', samples: options.singles });
    const batches = [];
    for (const listLength of LISTS) {
      batches.push({ listLength, routes: options.routes, ...(await ask({ do: 'batch', routes: options.routes, listLength })) });
    }
    const counters = { routes: options.counterRoutes, ...(await ask({ do: 'counters', routes: options.counterRoutes, reads: options.reads })) };
    const punts = await measurePunts(star, ask, options.punts);
    await ask({ do: 'close' });
    return { singleUs: confirmedUs, batches, counters, punts };
  } finally {
    await star.lab.close();
  }
}

type Ask = <R extends Request>(request: R) => Promise<Answers[R['do']]>;

async function openWorker({ lab, router }: Star, form: Form, routeLimit: number): Promise<Ask> {
  const pinPath = `/sys/fs/bpf/xmcast-${lab.id}-hop`;
  lab.removeOnClose(pinPath);
  const socketPath = join(lab.directory, 'hop.sock');
  if (form === 'split') {
    const { process: half } = startDataplane(lab, router, { socketPath, pinPath, maxRoutes: routeLimit });
    await eventually(() => half.stdout.includes('ready') || half.hasExited, { what: 'the data plane is ready', timeoutMs: 30_000 });
    if (half.hasExited) throw new Error(half.describeEnd());
  }
  const argv = [process.execPath, '--max-semi-space-size=8', '--enable-source-maps', inRepository(WORKER)];
  const worker = await TrafficProcess.start(lab.spawn(router, argv, { name: 'bench worker' }));
  const ask: Ask = (request) => worker.command(JSON.stringify(request));
  const ports = await interfacesOf(router, ['up0', 'lan1', 'lan2']);
  await ask({ do: 'open', ports, target: form === 'split' ? `unix://${socketPath}` : null, pinPath, routeLimit });
  return ask;
}

/** As fast as a program can write reports; those that the ring buffer or the way to the controller had no room for are missing. */
async function measurePunts({ lab, hosts }: Star, ask: Ask, reports: number): Promise<Measured['punts']> {
  const [host] = hosts;
  if (host === undefined) throw new Error('no host');
  const reporter = await lab.reporter(host, { address: hostAddress(0), hosts: 64, version: 3 });
  await ask({ do: 'punts' });
  await reporter.send({ change: 'refresh', firstGroup: '239.50.0.0', count: reports * RECORDS, recordsPerReport: RECORDS });
  let [punts, firstAt, elapsedMs] = [0, 0, 0];
  await eventually(
    async () => {
      const found = await ask({ do: 'punts' });
      if (punts === 0) elapsedMs = found.elapsedMs;
      else if (found.punts > 0) elapsedMs += found.elapsedMs;
      punts += found.punts;
      firstAt = found.punts === 0 ? firstAt + 1 : 0;
      return punts >= reports || firstAt > 5;
    },
    { what: 'the last punt has come', timeoutMs: 20_000, intervalMs: 200 },
  );
  return { sent: reports, received: punts, perSecond: elapsedMs === 0 ? 0 : (punts * 1000) / elapsedMs };
}

