/**
 * What an igmpproxy.conf says → Config. Decides which word of xmcast stands for which of igmpproxy, and notes what is not the same.
 */
import type { xmcast } from '#proto';
import { printable } from '../config/printable';
import { MAX_PREFIXES } from '../config/ranges';
import { indexPath } from '../config/source-map';
import { formatPrefix } from '../protocol/packet/address';
import { accessRules, permittedGroups } from './group-filter';
import { readIgmpproxy, type IgmpproxyFile, type Phyint } from './igmpproxy-read';
import type { Notes, Translation } from './import-result';
import { deviceOfLabel } from './interface-name';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

export function translateIgmpproxy(text: string, notes: Notes): Translation {
  const file = readIgmpproxy(text, notes);
  const phyints = usedPhyints(file, notes);
  noteRoles(phyints, notes);
  noteFileWords(file, notes);
  const config: xmcast.v1.Config.$Properties = {
    interfaces: phyints.map((phyint) => (phyint.role === 'upstream' ? upstream(phyint, notes) : downstream(phyint, notes))),
  };
  if (file.quickLeave !== undefined) config.igmp = { quickLeave: 'tracked' };
  return { config, lines: new Map(phyints.map(({ name }, index) => [indexPath('interfaces', index), name.line])) };
}

/** Those that route, each device once, in the order of the file. */
function usedPhyints({ phyints }: IgmpproxyFile, notes: Notes): readonly Phyint[] {
  const names = new Set<string>();
  const routing = phyints.filter((phyint) => {
    const { text: name, line } = phyint.name;
    const isFirst = !names.has(name);
    names.add(name);
    if (!isFirst) notes.error(line, `phyint ${printable(name)}: given before; igmpproxy takes the first, and so does this`);
    else if (phyint.role === undefined)
      notes.warning(line, `phyint ${printable(name)}: has no role, which means disabled; left out`);
    else if (phyint.role === 'disabled')
      notes.info(line, `phyint ${printable(name)}: disabled, so left out; xmcast leaves alone what is not named`);
    else return isFirst;
    return false;
  });
  const devices = new Map(routing.map((phyint) => [phyint.name.text, phyint]));
  return routing.flatMap((phyint) => {
    const device = deviceOfLabel(phyint.name.text);
    return device === undefined ? [phyint] : labelled(phyint, device, devices, notes);
  });
}

/** To igmpproxy a label such as eth0:1 is an interface of its own; to xmcast it is one of the addresses of eth0. */
function labelled(phyint: Phyint, device: string, devices: Map<string, Phyint>, notes: Notes): readonly Phyint[] {
  const { text: name, line } = phyint.name;
  const what = `phyint ${printable(name)}: an address of ${printable(device)}`;
  const known = devices.get(device);
  if (known === undefined) {
    notes.warning(line, `${what}; translated as that interface with all of its addresses`);
    const whole = { ...phyint, name: { text: device, line } };
    devices.set(device, whole);
    return [whole];
  }
  if (known.role === phyint.role) {
    notes.warning(line, `${what}, which is named already; only its altnets are taken over`);
    known.subnets.push(...phyint.subnets);
  } else notes.error(line, `${what}, which is ${known.role}; an interface has one role with all of its addresses; left out`);
  return [];
}

function noteRoles(phyints: readonly Phyint[], notes: Notes): void {
  const upstreams = phyints.filter(({ role }) => role === 'upstream');
  if (upstreams.length === 0)
    notes.warning(0, 'no phyint is upstream, which igmpproxy refuses: nothing will be asked for anywhere');
  for (const { name } of upstreams.slice(1)) {
    notes.info(
      name.line,
      `phyint ${printable(name.text)}: another upstream; each stream is taken from where it arrives (upstream_groups and upstream_priority divide them)`,
    );
  }
  if (phyints.length === upstreams.length) notes.warning(0, 'no phyint is downstream: nothing will be forwarded');
}

function noteFileWords({ quickLeave, defaultDown }: IgmpproxyFile, notes: Notes): void {
  notes.info(
    0,
    'igmpproxy asks with IGMPv2 and forwards every source; xmcast asks with IGMPv3 and filters (igmp.version: 2 for hosts that cannot follow)',
  );
  if (quickLeave !== undefined) {
    notes.info(
      quickLeave,
      'quickleave: written as "tracked", which is what igmpproxy does: a group goes at once when no other known host wants it ("always" asks for no other)',
    );
  }
  if (defaultDown !== undefined) {
    notes.warning(
      defaultDown,
      'defaultdown: left out; name each downstream interface under interfaces, whether or not it exists yet',
    );
  }
}

function upstream(phyint: Phyint, notes: Notes): InterfaceConfig {
  const item: InterfaceConfig = { ...common(phyint, notes), upstream: true };
  const groups = permittedGroups(phyint.groups, MAX_PREFIXES);
  const { text: name, line } = phyint.name;
  if (groups === undefined) return item;
  if (groups.length === 0)
    notes.error(
      line,
      `phyint ${printable(name)}: its lists let no group through; make it a downstream interface, or leave it out`,
    );
  else if (groups.length > MAX_PREFIXES)
    notes.error(line, `phyint ${printable(name)}: its lists come to more than ${MAX_PREFIXES} prefixes; left out`);
  else item.upstreamGroups = groups.map(formatPrefix);
  return item;
}

function downstream(phyint: Phyint, notes: Notes): InterfaceConfig {
  const item = common(phyint, notes);
  const access = accessRules(phyint.groups);
  return access.length > 0 ? { ...item, igmp: { access } } : item;
}

function common({ name, threshold, subnets, role }: Phyint, notes: Notes): InterfaceConfig {
  const item: InterfaceConfig = { name: name.text };
  if (threshold !== undefined && threshold.value > 1) {
    item.ttlThreshold = threshold.value;
    noteThreshold(threshold, role === 'upstream', notes);
  }
  if (subnets.length > 0) item.alternativeSubnets = [...new Set(subnets.map(({ prefix }) => formatPrefix(prefix)))];
  return item;
}

/** The kernel looks at the threshold of the interface a packet leaves by, and at no other. */
function noteThreshold(
  { value, line }: { readonly value: number; readonly line: number },
  isUpstream: boolean,
  notes: Notes,
): void {
  const text = `threshold ${value}: copies leave as before; also, a packet received here with a TTL below ${value} is dropped`;
  if (isUpstream) notes.warning(line, `${text}: check the TTL of the streams`);
  else notes.info(line, text);
}
