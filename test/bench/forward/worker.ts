/**
 * The process inside the router's namespace: xmcast's data plane as the daemon opens it, the other contenders, and the clock. Does what
 * it is asked, decides nothing. Ends with its stdin.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readBtf } from '#bindings';
import { toSettings } from '../../../control/config/defaults';
import { BpfDataplane } from '../../../control/dataplane/bpf-dataplane';
import type { CounterSnapshot } from '../../../control/dataplane/api';
import { systemClock } from '../../../control/kernel/clock';
import { bpfObjectPath } from '../../../control/paths';
import type { WantedRoute } from '../../../control/mrib/route';
import { Contenders } from './contenders';
import { CpuClock } from './cpu-clock';
import { mapMemory } from './map-memory';
import type {
  Answers,
  CountersAnswer,
  FillAnswer,
  FillRequest,
  MemoryAnswer,
  OpenAnswer,
  OpenRequest,
  Request,
  SliceAnswer,
  SliceRequest,
} from './protocol';
import { minus, ReceiverCounts } from './receiver-counts';
import { benchFrame, FILL_GROUP, FIRST_SOURCE, generatorState, groupOf } from './stream';
import { serveRequests } from '../../lab/serve-requests';

const GROUP_LIMIT = 64;
/** Routes in one call, as a controller that starts hands them over. */
const FILL_BATCH = 1000;
const INGRESS_VPORT = 1;
/** The i-th outgoing port (from 0) is vport i + 2. */
const FIRST_EGRESS_VPORT = 2;

class Worker {
  readonly #request: OpenRequest;
  readonly #dataplane: BpfDataplane;
  readonly #contenders: Contenders;
  readonly #cpuClock = new CpuClock();
  #receivers: ReceiverCounts | undefined;
  #countersBefore: CountersAnswer | undefined;

  private constructor(request: OpenRequest, dataplane: BpfDataplane, contenders: Contenders) {
    this.#request = request;
    this.#dataplane = dataplane;
    this.#contenders = contenders;
  }

  static async open(request: OpenRequest): Promise<{ worker: Worker; answer: OpenAnswer }> {
    const dataplane = await openDataplane(request);
    const [ingress, ...egress] = request.ports.map(({ ifindex }) => ifindex);
    mkdirSync(request.benchPinPath, { recursive: true });
    const own = { ifindex: ingress ?? 0, tcLink: join(request.pinPath, `link_${ingress ?? 0}_tc`) };
    const contenders = await Contenders.load(own, egress, request.portCounts, request.benchPinPath);
    const receiverProgram = join(request.benchPinPath, 'receive');
    const generatorProgram = join(request.benchPinPath, 'generate');
    contenders.receiver.pin(receiverProgram);
    contenders.generator.pin(generatorProgram);
    return { worker: new Worker(request, dataplane, contenders), answer: { receiverProgram, generatorProgram } };
  }

  setReceivers(ifindexes: readonly number[]): object {
    this.#receivers = new ReceiverCounts(this.#contenders.receiverCounts, ifindexes);
    return {};
  }

  fill({ routes, ports }: FillRequest): FillAnswer {
    const outgoing = egressVports(ports);
    const heapBefore = heapUsed();
    const started = performance.now();
    for (let at = 0; at < routes; at += FILL_BATCH) {
      const batch = Array.from({ length: Math.min(FILL_BATCH, routes - at) }, (_, i) => FIRST_SOURCE + at + i);
      install(
        this.#dataplane,
        batch.map((source) => ({ source, group: FILL_GROUP, incoming: INGRESS_VPORT, outgoing })),
      );
    }
    const elapsedMs = performance.now() - started;
    return { elapsedMs, heapBytes: Math.max(0, heapUsed() - heapBefore) };
  }

  async slice(request: SliceRequest): Promise<SliceAnswer> {
    if (this.#receivers === undefined) throw new Error('no receivers yet');
    const data = benchFrame(request.fillRoutes > 0 ? FILL_GROUP : groupOf(request.ports), request.frameBytes);
    this.#contenders.setStream(generatorState(data, Math.max(1, request.fillRoutes)));
    await this.#contenders.switchTo(request.contender, request.ports);
    const ingressIfindex = this.#request.ports[0]?.ifindex ?? 0;
    const [started, busy] = [process.hrtime.bigint(), this.#cpuClock.nowNs()];
    await this.#contenders.generator.runLive({ data, repeat: request.frames, ingressIfindex });
    const [elapsedNs, cpuNs] = [Number(process.hrtime.bigint() - started), this.#cpuClock.nowNs() - busy];
    const expected = request.contender === 'drop' ? 0 : request.frames * request.ports;
    return { elapsedNs, cpuNs, ...(await this.#receivers.arrived(expected)) };
  }

  async counters(): Promise<CountersAnswer> {
    const now = totals(await this.#dataplane.readCounters(), this.#request.ports.length - 1);
    const before = this.#countersBefore;
    this.#countersBefore = now;
    if (before === undefined) return now;
    return {
      accepted: now.accepted - before.accepted,
      routeCopies: now.routeCopies - before.routeCopies,
      routeCopyBytes: now.routeCopyBytes - before.routeCopyBytes,
      portPackets: minus(now.portPackets, before.portPackets),
      portBytes: minus(now.portBytes, before.portBytes),
    };
  }

  memory(): MemoryAnswer {
    const maxVports = readBtf(bpfObjectPath()).enumerators['XM_MAX_VPORTS'];
    if (maxVports === undefined) throw new Error('the object does not declare XM_MAX_VPORTS');
    return mapMemory(this.#request.pinPath, this.#request.routeLimit, maxVports);
  }

  async close(): Promise<object> {
    await this.#dataplane.close();
    return {};
  }
}

async function openDataplane(request: OpenRequest): Promise<BpfDataplane> {
  const dataplane = await BpfDataplane.open({
    objectPath: bpfObjectPath(),
    pinPath: request.pinPath,
    routeLimit: request.routeLimit,
    groupLimit: GROUP_LIMIT,
    ports: request.ports.length,
    policers: toSettings({}).dataplane.policers,
    onPunts: () => undefined,
    onTrouble: (message) => process.stderr.write(`${message}\n`),
    nowMs: systemClock.nowMs,
  });
  for (const [i, { name, ifindex, mac, mtu }] of request.ports.entries()) {
    const macAddress = Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16));
    await dataplane.setPort({ vport: INGRESS_VPORT + i, name, ifindex, macAddress, mtu, ttlThreshold: 1 });
  }
  install(
    dataplane,
    request.portCounts.map((ports) => ({
      source: FIRST_SOURCE,
      group: groupOf(ports),
      incoming: INGRESS_VPORT,
      outgoing: egressVports(ports),
    })),
  );
  return dataplane;
}

function egressVports(ports: number): readonly number[] {
  return Array.from({ length: ports }, (_, i) => FIRST_EGRESS_VPORT + i);
}

function install(dataplane: BpfDataplane, routes: readonly WantedRoute[]): void {
  const [problem] = dataplane.applyRoutes(
    routes.map((route) => ({ kind: 'set', route })),
    systemClock.nowMs(),
  );
  if (problem !== undefined) throw new Error(`install a route: ${problem.problem}`);
}

function totals(snapshot: CounterSnapshot, egressPorts: number): CountersAnswer {
  const routes = [...snapshot.routeNames()].map((name) => snapshot.route(name)).filter((route) => route !== undefined);
  const vports = egressVports(egressPorts).map((vport) => snapshot.vport(vport));
  const total = (values: readonly bigint[]): number => Number(values.reduce((sum, value) => sum + value, 0n));
  return {
    accepted: total(routes.map(({ packets }) => packets)),
    routeCopies: total(routes.map(({ copies }) => copies)),
    routeCopyBytes: total(routes.map(({ copyBytes }) => copyBytes)),
    portPackets: vports.map((vport) => Number(vport?.txPackets ?? 0n)),
    portBytes: vports.map((vport) => Number(vport?.txBytes ?? 0n)),
  };
}

/** Only what is still in use, where the process was started with --expose-gc. */
function heapUsed(): number {
  globalThis.gc?.();
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage();
  return heap + arrayBuffers;
}

let worker: Worker | undefined;

async function obey(request: Request): Promise<Answers[keyof Answers]> {
  if (request.do === 'open') {
    const opened = await Worker.open(request);
    worker = opened.worker;
    return opened.answer;
  }
  if (worker === undefined) throw new Error('not open yet');
  switch (request.do) {
    case 'receivers':
      return worker.setReceivers(request.ifindexes);
    case 'fill':
      return worker.fill(request);
    case 'slice':
      return worker.slice(request);
    case 'counters':
      return worker.counters();
    case 'memory':
      return worker.memory();
    case 'close':
      return worker.close();
  }
}

void serveRequests<Request>(obey, () => worker?.close());
