/**
 * What is said when a port cannot be had: what was attempted, on which interface, why it failed and what helps.
 */
import { queryXdp } from '#bindings';
import { XmcastError, errorCode, errorText } from '../errors';
import type { PortSpec } from './api';
import { takenBy } from './port-mode';
import type { TcDirection } from './tc-filter';

const MAC_BYTES = 6;

/** The device is going: nothing to be learnt about it. */
export function isGone(error: unknown): boolean {
  return ['ENODEV', 'ENXIO'].includes(errorCode(error));
}

export function xdpError(spec: PortSpec, error: unknown): XmcastError {
  if (error instanceof XmcastError) return error;
  const what = `attach XDP to ${spec.name} (native)`;
  if (isGone(error)) return goneError(what, error);
  if (['EBUSY', 'EEXIST'].includes(errorCode(error))) {
    return new XmcastError('XM_XDP_BUSY', `${what}: ${errorCode(error)}; program ${programOn(spec.ifindex)} is already there`, {
      hint: `See it with "ip link show dev ${spec.name}"; stop its owner, remove it with "ip link set dev ${spec.name} xdp off", or set the mode of the interface to tc.`,
      cause: error,
    });
  }
  return new XmcastError('XM_PORT_UNSUPPORTED', `${what}: ${errorText(error)}; the driver, its MTU or its queues do not allow native XDP`, {
    hint: `Check "ethtool -i ${spec.name}" for a driver with native XDP, an MTU of at most 3400, and that receive offloads (LRO, GRO_HW) are off; or set the mode of the interface to auto or tc.`,
    cause: error,
  });
}

export function tcError(spec: PortSpec, direction: TcDirection, error: unknown): XmcastError {
  const what = `attach tc to ${spec.name} (${direction})`;
  if (isGone(error)) return goneError(what, error);
  return new XmcastError('XM_PORT_UNSUPPORTED', `${what}: ${errorText(error)}`, {
    hint: 'The kernel needs tcx (Linux 6.6) or CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS (clsact), and the daemon CAP_NET_ADMIN.',
    cause: error,
  });
}

export function stripsTagsError({ name }: PortSpec): XmcastError {
  return new XmcastError('XM_PORT_UNSUPPORTED', `attach XDP to ${name} (native): the device takes VLAN tags off before XDP has the frame, and keeps doing so`, {
    hint: `See it with "ethtool -k ${name}" (rx-vlan-offload); set the mode of the interface and its VLANs to auto or tc.`,
  });
}

export function vlanTakenError({ name, vlan = 0 }: PortSpec): XmcastError {
  const what = vlan === 0 ? `the untagged frames of ${name}` : `VLAN ${vlan} of ${name}`;
  return new XmcastError('XM_PORT_UNSUPPORTED', `take ${what}: another interface of the configuration stands for the same frames`, {
    hint: 'Two names mean one VLAN: the kernel\'s interface of it, and "parent.id". Leave one of them out of interfaces[].',
  });
}

/** What no mode can help. */
export function portRefusal(spec: PortSpec): XmcastError | undefined {
  if (spec.macAddress.length !== MAC_BYTES) return noEthernetError(spec);
  const kind = takenBy(spec);
  return kind === undefined ? undefined : takenError(spec, kind);
}

function noEthernetError({ name }: PortSpec): XmcastError {
  return new XmcastError('XM_PORT_UNSUPPORTED', `attach to ${name}: it has no Ethernet address, and only Ethernet devices can be ports`, {
    hint: 'Use a tunnel that carries Ethernet frames (gretap, vxlan, tap) instead of one that carries IP packets (gre, tun).',
  });
}

function takenError({ name }: PortSpec, kind: string): XmcastError {
  return new XmcastError('XM_PORT_UNSUPPORTED', `attach to ${name}: it is a part of a ${kind} device, which takes its packets and has its addresses`, {
    hint: `Configure the ${kind} device instead ("ip link show dev ${name}" names it as master), or take ${name} out of it with "ip link set dev ${name} nomaster".`,
  });
}

function goneError(what: string, error: unknown): XmcastError {
  return new XmcastError('XM_INTERFACE', `${what}: ${errorCode(error)}; the interface has just gone`, {
    hint: 'Nothing to do: it is attached again when it returns.',
    cause: error,
  });
}

function programOn(ifindex: number): string {
  try {
    return String(queryXdp(ifindex).programId);
  } catch {
    // Only makes the message poorer.
    return '(unknown)';
  }
}
