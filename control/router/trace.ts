/**
 * Why a packet is forwarded or not: walks through the decisions that the data plane and the rooms behind it make, in their order, and
 * says each in words. Pure; what it must know comes with the call (trace-facts.ts).
 */
import type { TracePort, TraceQuestion, TraceResult, TraceStage, TraceStep, TraceVerdict } from '../api/trace-source';
import type { VportId } from '../mrib/route';
import { formatIpv4, isLocalNetworkControl, isMulticast, isUnicastSource } from '../protocol/packet/address';
import type { ReversePathRule } from './reverse-path';
import { attachmentObstacle, departures, type Forwarding } from './trace-departure';
import type { PortFacts, RouteFacts, TraceFacts } from './trace-facts';

export function trace(question: TraceQuestion, facts: TraceFacts): TraceResult {
  return new Walk(question, facts).result();
}

const RULES: Readonly<Record<Exclude<ReversePathRule, 'none'>, string>> = {
  'own-address': 'the source is this interface itself',
  subnet: 'the source is in a subnet of this downstream interface',
  'unicast-route': 'the unicast route to the source leads through this downstream interface',
  'upstream-route': 'of the upstreams that serve the group, a subnet or the unicast route to the source says this one',
  upstream: 'this is the upstream that serves the group',
  'default-route': 'no upstream serves the group, and the default route leads through this interface',
};

class Walk {
  readonly #question: TraceQuestion;
  readonly #facts: TraceFacts;
  readonly #steps: TraceStep[] = [];
  /** The sentence of the step at which it ended. */
  #end: string | undefined;

  constructor(question: TraceQuestion, facts: TraceFacts) {
    this.#question = question;
    this.#facts = facts;
  }

  result(): TraceResult {
    this.#packet();
    this.#reversePath();
    const arrival = this.#arrival();
    const forwarding = this.#route(arrival);
    this.#members();
    const { steps, ports } = departures(this.#question, { facts: this.#facts, forwarding, end: this.#end });
    this.#steps.push(...steps);
    const isLocal = this.#end === undefined && forwarding?.isLocal === true;
    if (isLocal) this.#say('departure', 'pass', 'applications of this machine that have joined the group get it', arrival);
    return { steps: this.#steps, ports, ...this.#summary(ports, isLocal, forwarding) };
  }

  #packet(): void {
    const { group, source, ttl } = this.#question;
    if (!isMulticast(group)) return this.#drop('packet', `${formatIpv4(group)} is no multicast group`);
    if (isLocalNetworkControl(group)) return this.#drop('packet', `${formatIpv4(group)} is in 224.0.0.0/24, which no router forwards`);
    if (source !== 0 && !isUnicastSource(source)) return this.#drop('packet', `${formatIpv4(source)} cannot be a source (RFC 1812 5.3.7): martian_source`);
    if (ttl < 2) return this.#drop('packet', `a TTL of ${ttl} is used up on the link the packet comes from: ttl_in`);
    const from = source === 0 ? 'any source' : formatIpv4(source);
    this.#say('packet', 'pass', `a packet from ${from} to ${formatIpv4(group)}, TTL ${ttl}, ${this.#question.bytes} bytes`);
  }

  #reversePath(): void {
    const { vports, rule } = this.#facts.expected;
    const { ownAddressOf } = this.#facts;
    if (ownAddressOf !== undefined) this.#say('reverse-path', 'note', `the source address is this router's own on ${ownAddressOf}`);
    if (rule === 'none' || vports.length === 0) {
      const text = 'no interface is expected: the source is in no subnet, no unicast route leads to it through an interface of ours, and no upstream serves the group';
      return this.#say('reverse-path', 'note', text);
    }
    if (vports.length === 1) return this.#say('reverse-path', 'pass', `expected by this interface: ${RULES[rule]}`, this.#port(vports[0]));
    this.#say('reverse-path', 'pass', `expected by any of ${this.#names(vports)}, which serve the group together: the one by which it comes first`);
  }

  #arrival(): PortFacts | undefined {
    const { interface: given } = this.#question;
    const { ports, expected, route } = this.#facts;
    const port = given === undefined ? this.#port(route?.incoming ?? expected.vports[0]) : ports.find(({ name }) => name === given);
    if (port === undefined) {
      const text = given === undefined ? 'it can come in nowhere: no interface is expected' : `${given} is not configured: its packets are none of ours`;
      this.#drop('arrival', text);
      return undefined;
    }
    const obstacle = attachmentObstacle(port) ?? this.#obstacle(port);
    if (obstacle !== undefined) this.#drop('arrival', obstacle, port);
    else this.#say('arrival', 'pass', `taken in ${port.mode === 'tc' ? 'tc' : 'XDP'} mode; TTL ${this.#question.ttl} is not below the threshold of ${port.ttlThreshold}`, port);
    return port;
  }

  #obstacle(port: PortFacts): string | undefined {
    const { ttl, group } = this.#question;
    if (ttl < port.ttlThreshold) return `TTL ${ttl} is below the threshold of ${port.ttlThreshold} (ttl_threshold): ttl_in`;
    // Static routes are the operator's own decision.
    if (port.boundary === undefined || this.#facts.route?.isStatic === true) return undefined;
    return `${formatIpv4(group)} is in the boundary ${port.boundary} of this interface: it does not come in`;
  }

  #route(arrival: PortFacts | undefined): Forwarding | undefined {
    const { route } = this.#facts;
    if (route === undefined) return this.#withoutRoute(arrival);
    this.#say('route', 'pass', `${route.name} takes it: ${originOf(route)}${countedText(route)}`);
    if (route.problem !== '') this.#drop('route', `${route.name} is not as wanted in the data plane: ${route.problem}`);
    if (route.incoming === undefined) return this.#undecided(route, arrival);
    const isRight = arrival === undefined || route.incoming === arrival.vport;
    if (!isRight) this.#drop('route', `${route.name} comes in by ${this.#names([route.incoming])}, not by ${arrival.name}: wrong_interface`, arrival);
    if (route.outgoing.length === 0 && !route.isLocal) this.#drop('route', `${route.name} has no outgoing interface: its packets are counted and dropped (no_receivers)`);
    return { ...route };
  }

  /** Several upstreams serve the group: the first packet of each source decides. */
  #undecided(route: RouteFacts, arrival: PortFacts | undefined): Forwarding | undefined {
    this.#say('route', 'note', `${route.name} has no incoming interface of its own: the first packet of each source asks for a route of its own`);
    return this.#withoutRoute(arrival);
  }

  #withoutRoute(arrival: PortFacts | undefined): Forwarding | undefined {
    const preview = arrival === undefined ? undefined : this.#facts.preview(arrival.vport);
    const { vports } = this.#facts.expected;
    if (preview === undefined) {
      const other = arrival !== undefined && !vports.includes(arrival.vport);
      this.#drop('route', other ? `no entry takes it, and none is made: it does not come by a reverse path of its source (no_route)` : 'no entry takes it (no_route)', arrival);
      return undefined;
    }
    const name = 'the route that its first packet makes';
    if (preview.outgoing.length === 0 && !preview.isLocal) {
      this.#drop('route', 'no entry takes it, and nobody wants it: the first packet makes a route that absorbs the stream for half a minute');
    } else {
      this.#say('route', 'pass', 'no entry takes it yet: the first packet goes to the controller, makes a route and is sent on by it');
    }
    return { incoming: arrival?.vport, ...preview, ttlThreshold: 0, isStatic: false, name };
  }

  #members(): void {
    const { host } = this.#question;
    for (const port of this.#facts.ports) for (const text of memberTexts(port)) this.#say('membership', 'note', text, port);
    if (host !== undefined && !this.#facts.ports.some((port) => port.host !== undefined)) {
      this.#say('membership', 'note', `${formatIpv4(host)} is in no subnet of a configured interface (see alternative_subnets)`);
    }
    const wanting = this.#facts.ports.filter((port) => port.demand !== undefined);
    if (wanting.length === 0) this.#say('membership', 'note', 'nobody has asked for the group on any interface');
  }

  #summary(ports: readonly TracePort[], isLocal: boolean, forwarding: Forwarding | undefined): Pick<TraceResult, 'forwarded' | 'summary'> {
    const sent = ports.filter((port) => port.sent).map((port) => port.interface);
    if (sent.length > 0 || isLocal) {
      const to = [...sent, ...(isLocal ? ['applications of this machine'] : [])].join(', ');
      return { forwarded: true, summary: `Forwarded to ${to} by ${forwarding?.name ?? 'a route'}.` };
    }
    const why = this.#end ?? ports.find(({ interface: name }) => forwarding?.outgoing.some((vport) => this.#names([vport]) === name))?.reason;
    return { forwarded: false, summary: `Not forwarded: ${why ?? 'nobody wants it'}.` };
  }

  #drop(stage: TraceStage, text: string, port?: PortFacts): void {
    this.#say(stage, 'drop', text, port);
    this.#end ??= text;
  }

  #say(stage: TraceStage, verdict: TraceVerdict, text: string, port?: PortFacts): void {
    this.#steps.push({ stage, verdict, interface: port?.name ?? '', text });
  }

  #port(vport: VportId | undefined): PortFacts | undefined {
    return this.#facts.ports.find((port) => port.vport === vport);
  }

  #names(vports: readonly VportId[]): string {
    return vports.map((vport) => this.#port(vport)?.name ?? `port ${vport}`).join(', ');
  }
}

function originOf({ kind, isStatic }: RouteFacts): string {
  if (isStatic) return kind === 'range' ? 'a static route for a range' : 'a static route, which replaces what hosts ask for';
  return kind === 'source' ? 'this source was seen sending, or hosts named it' : 'hosts asked for every source, and there is no route of this source';
}

function countedText({ counted }: RouteFacts): string {
  if (counted === undefined) return '';
  const wrong = counted.wrongInterface > 0n ? `, ${counted.wrongInterface} by a wrong interface` : '';
  const ttl = counted.ttlDrops > 0n ? `, ${counted.ttlDrops} dropped by TTL` : '';
  return `; ${counted.packets} packets so far${wrong}${ttl}`;
}

function memberTexts(port: PortFacts): string[] {
  const texts: string[] = [];
  const { demand, hosts, host, refusal } = port;
  if (demand !== undefined) texts.push(demandText(demand, hosts));
  if (host !== undefined) texts.push(hostText(host));
  if (refusal !== undefined) texts.push(refusal);
  return texts;
}

function demandText({ mode, wantsSource, isStatic }: NonNullable<PortFacts['demand']>, hosts: readonly string[]): string {
  const by = hosts.length === 0 ? (isStatic ? 'by configuration' : 'by hosts that are not known by name') : `by ${shown(hosts)}`;
  if (wantsSource) return `wanted ${by}`;
  return mode === 'include' ? 'wanted from other sources only' : 'wanted, but every host excludes this source';
}

function hostText({ address, wants }: NonNullable<PortFacts['host']>): string {
  if (wants === 'these') return `${address} has asked for it`;
  return wants === 'others' ? `${address} has asked for the group, but not for this source` : `${address} has not asked for the group, as far as is known`;
}

const SHOWN_HOSTS = 4;

function shown(hosts: readonly string[]): string {
  const more = hosts.length - SHOWN_HOSTS;
  return more > 0 ? `${hosts.slice(0, SHOWN_HOSTS).join(', ')} and ${more} more` : hosts.join(', ');
}
