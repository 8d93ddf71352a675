/**
 * Rounds: every contender runs for the same short time, one after the other, again and again, so that whatever else the machine does
 * hits all alike. The order turns around from round to round and every turn has a lead-in that is not timed: what the one before has
 * left in caches and page lists must not help or harm always the same contender. Time is CPU time. Checks at the end that xmcast's counters say what the receivers saw.
 */
import type { Bed } from './bed';
import {
  CONTENDERS,
  type ContenderName,
  type CountersAnswer,
  type FillAnswer,
  type SliceAnswer,
  type SliceRequest,
} from './protocol';
import { sum } from './receiver-counts';
import { pairedRatios, portsText, spread, type Cell, type ContenderFigures, type TableCell } from './results';
import { frameBytesOf, ipBytesOf } from './stream';

/** Long beside the start of a run (some 50 us), short beside the moods of a machine whose cores share caches with others. */
const SLICE_NS = 20e6;
const MIN_ROUNDS = 3;
/** Part of a slice's frames that goes before it. */
const LEAD_IN = 0.15;
const PROBE_FRAMES = 2000;
const MAX_FRAMES = 4_000_000;
const TABLE_PORTS = 4;
const TABLE_SIZE = 64;

type Setup = Omit<SliceRequest, 'do' | 'frames'>;

interface Slice {
  readonly copiesPerSecond: number;
  /** By the clock on the wall, also while others had the CPU. */
  readonly copiesPerWallSecond: number;
  readonly nsPerPacket: number;
  readonly lost: number;
}

export interface Meter {
  readonly bed: Bed;
  readonly seconds: number;
  /** Something the figures say that cannot be true. */
  readonly contradiction: (sentence: string) => void;
  readonly onRound: (round: number, rounds: number) => void;
}

export async function measureCell(meter: Meter, ports: number, size: number): Promise<Cell> {
  const frameBytes = frameBytesOf(size);
  const setups = CONTENDERS.map((contender): Setup => ({ contender, ports, frameBytes, fillRoutes: 0 }));
  const slices = await playRounds(meter, setups);
  const [xmcast = [], tc = [], kernel = [], bare = [], egress = []] = slices;
  const rates = (of: readonly Slice[]): readonly number[] => of.map(({ copiesPerSecond }) => copiesPerSecond);
  return {
    ports,
    size,
    frameBytes,
    rounds: xmcast.length,
    contenders: {
      xmcast: figuresOf(xmcast, ports),
      tc: figuresOf(tc, ports),
      kernel: figuresOf(kernel, ports),
      bare: figuresOf(bare, ports),
      egress: figuresOf(egress, ports),
    },
    overKernel: spread(pairedRatios(rates(xmcast), rates(kernel))),
    tcOverKernel: spread(pairedRatios(rates(tc), rates(kernel))),
    overBare: spread(pairedRatios(rates(xmcast), rates(bare))),
    egressOverBare: spread(pairedRatios(rates(egress), rates(bare))),
  };
}

/** Fills the route table, then compares packets of one route with packets of all of them in turn. */
export async function measureTable(meter: Meter, routes: number): Promise<TableCell> {
  const fill: FillAnswer = await meter.bed.ask({ do: 'fill', routes, ports: TABLE_PORTS });
  const frameBytes = frameBytesOf(TABLE_SIZE);
  const setup = { contender: 'xmcast', ports: TABLE_PORTS, frameBytes } as const;
  const [one = [], all = []] = await playRounds(meter, [
    { ...setup, fillRoutes: 1 },
    { ...setup, fillRoutes: routes },
  ]);
  const cost = (of: readonly Slice[]): readonly number[] => of.map(({ nsPerPacket }) => nsPerPacket);
  return {
    routes,
    ports: TABLE_PORTS,
    frameBytes,
    oneRouteNsPerPacket: spread(cost(one)).median,
    allRoutesNsPerPacket: spread(cost(all)).median,
    ratio: spread(pairedRatios(cost(all), cost(one))),
    fill,
  };
}

export async function measureGenerator(meter: Meter, size: number): Promise<number> {
  const [slices = []] = await playRounds({ ...meter, seconds: Math.min(meter.seconds, 1) }, [
    { contender: 'drop', ports: 1, frameBytes: frameBytesOf(size), fillRoutes: 0 },
  ]);
  return spread(slices.map(({ nsPerPacket }) => nsPerPacket)).median;
}

/** By setup, then by round. */
async function playRounds(meter: Meter, setups: readonly Setup[]): Promise<readonly (readonly Slice[])[]> {
  const rounds = Math.max(MIN_ROUNDS, Math.round((meter.seconds * 1e9) / (SLICE_NS * setups.length)));
  const players: Player[] = [];
  for (const setup of setups) players.push(await Player.warmedUp(meter, setup));
  for (let round = 1; round <= rounds; round++) {
    for (const player of round % 2 === 1 ? players : players.toReversed()) await player.play();
    meter.onRound(round, rounds);
  }
  await checkCounters(meter, players);
  return players.map(({ slices }) => slices);
}

/** One setup: how many frames fill a slice, and what its slices were. */
class Player {
  readonly setup: Setup;
  readonly slices: Slice[] = [];
  /** By outgoing port, over all slices. */
  readonly arrivedPackets: number[];
  readonly arrivedBytes: number[];
  framesSent = 0;
  readonly #meter: Meter;
  #frames = PROBE_FRAMES;

  private constructor(meter: Meter, setup: Setup) {
    this.#meter = meter;
    this.setup = setup;
    this.arrivedPackets = Array.from({ length: meter.bed.egressPorts }, () => 0);
    this.arrivedBytes = [...this.arrivedPackets];
  }

  static async warmedUp(meter: Meter, setup: Setup): Promise<Player> {
    const player = new Player(meter, setup);
    let fastest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) fastest = Math.min(fastest, (await player.#run(PROBE_FRAMES)).cpuNs / PROBE_FRAMES);
    player.#frames = Math.min(MAX_FRAMES, Math.max(PROBE_FRAMES, Math.round(SLICE_NS / fastest)));
    // The counters of the warming up are looked at no more.
    await meter.bed.ask({ do: 'counters' });
    return player;
  }

  async play(): Promise<void> {
    await this.#turn(Math.ceil(this.#frames * LEAD_IN));
    const answer = await this.#turn(this.#frames);
    const arrived = sum(answer.packets);
    this.slices.push({
      copiesPerSecond: (arrived * 1e9) / answer.cpuNs,
      copiesPerWallSecond: (arrived * 1e9) / answer.elapsedNs,
      nsPerPacket: answer.cpuNs / this.#frames,
      lost: this.#frames * this.setup.ports - arrived,
    });
  }

  async #turn(frames: number): Promise<SliceAnswer> {
    const answer = await this.#run(frames);
    this.framesSent += frames;
    answer.packets.forEach((count, i) => (this.arrivedPackets[i] = (this.arrivedPackets[i] ?? 0) + count));
    answer.bytes.forEach((count, i) => (this.arrivedBytes[i] = (this.arrivedBytes[i] ?? 0) + count));
    return answer;
  }

  #run(frames: number): Promise<SliceAnswer> {
    return this.#meter.bed.ask({ do: 'slice', ...this.setup, frames });
  }
}

function figuresOf(slices: readonly Slice[], ports: number): ContenderFigures {
  const nsPerPacket = spread(slices.map((slice) => slice.nsPerPacket)).median;
  return {
    copiesPerSecond: spread(slices.map(({ copiesPerSecond }) => copiesPerSecond)),
    copiesPerWallSecond: spread(slices.map(({ copiesPerWallSecond }) => copiesPerWallSecond)),
    nsPerPacket,
    nsPerCopy: nsPerPacket / ports,
    lost: slices.reduce((total, { lost }) => total + lost, 0),
  };
}

/** What the receivers counted is the truth; everything else has to agree with it. */
async function checkCounters(meter: Meter, players: readonly Player[]): Promise<void> {
  const counted: CountersAnswer = await meter.bed.ask({ do: 'counters' });
  for (const player of players) checkArrivals(meter, player);
  const ours = players.filter(({ setup }) => ['xmcast', 'tc'].includes(setup.contender));
  const [first] = ours;
  if (first === undefined) return;
  const total = (of: (player: Player) => number): number => sum(ours.map(of));
  const ipBytes = ipBytesOf(first.setup.frameBytes);
  const where = describe(first.setup);
  const agree = (what: string, says: number, truth: number): void => {
    if (says !== truth)
      meter.contradiction(`${where}: ${what} ${says}, the truth is ${truth} (${says > truth ? '+' : ''}${says - truth})`);
  };
  agree(
    'packets accepted',
    counted.accepted,
    total(({ framesSent }) => framesSent),
  );
  agree(
    'copies of the routes',
    counted.routeCopies,
    total(({ arrivedPackets }) => sum(arrivedPackets)),
  );
  agree('bytes of the routes', counted.routeCopyBytes, total(({ arrivedPackets }) => sum(arrivedPackets)) * ipBytes);
  for (let port = 0; port < meter.bed.egressPorts; port++) {
    const arrived = total(({ arrivedPackets }) => arrivedPackets[port] ?? 0);
    agree(`packets sent by port ${port + 1}`, counted.portPackets[port] ?? 0, arrived);
    agree(`bytes sent by port ${port + 1}`, counted.portBytes[port] ?? 0, arrived * ipBytes);
  }
}

function checkArrivals(meter: Meter, { setup, arrivedPackets, arrivedBytes, framesSent }: Player): void {
  const ports = setup.contender === 'drop' ? 0 : setup.ports;
  arrivedPackets.forEach((packets, i) => {
    const where = `${describe(setup)}: receiver ${i + 1}`;
    if (i >= ports && packets > 0) meter.contradiction(`${where} got ${packets} packets although it is in no set`);
    if (packets > framesSent) meter.contradiction(`${where} got ${packets} packets of ${framesSent}`);
    if (i < ports && packets === 0) meter.contradiction(`${where} got nothing`);
    if (arrivedBytes[i] !== packets * setup.frameBytes)
      meter.contradiction(`${where} got ${packets} packets but ${arrivedBytes[i]} bytes`);
  });
}

function describe({ contender, ports, frameBytes }: { contender: ContenderName; ports: number; frameBytes: number }): string {
  return `${contender}, ${portsText(ports)}, ${frameBytes} bytes`;
}
