/**
 * Memberships of this machine itself in its own kernel: as long as one is held, the kernel reports the group on the interface and hands
 * what arrives there to applications. One socket each: a socket of the kernel takes 20 groups (net.ipv4.igmp_max_memberships).
 */
import { createSocket, type Socket } from 'node:dgram';
import { XmcastError, errorText } from '../errors';
import { formatIpv4, type Ipv4 } from '../protocol/packet/address';

export interface HostMembershipOptions {
  readonly interfaceName: string;
  /** An address of the interface, by which the kernel finds it. */
  readonly address: Ipv4;
  readonly group: Ipv4;
  /** Empty: every source. */
  readonly sources: readonly Ipv4[];
}

export interface HostMembership {
  /** Idempotent. */
  close(): void;
}

/** Rejects with XM_INTERFACE when the kernel refuses. */
export async function joinOnHost(options: HostMembershipOptions): Promise<HostMembership> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    await bind(socket);
    join(socket, options);
  } catch (error) {
    socket.close();
    throw refusal(options, error);
  }
  socket.unref();
  let isOpen = true;
  return {
    close: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
}

/** To no group's port: nothing is ever read from it. */
function bind(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: '127.0.0.1', port: 0 }, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

function join(socket: Socket, { address, group, sources }: HostMembershipOptions): void {
  const [to, by] = [formatIpv4(group), formatIpv4(address)];
  if (sources.length === 0) socket.addMembership(to, by);
  for (const source of sources) socket.addSourceSpecificMembership(formatIpv4(source), to, by);
}

function refusal({ interfaceName, group }: HostMembershipOptions, error: unknown): XmcastError {
  return new XmcastError('XM_INTERFACE', `join ${formatIpv4(group)} on ${interfaceName} for this machine: ${errorText(error)}`, {
    hint: 'ENODEV: the address has just gone, it is tried again. ENOBUFS: raise net.ipv4.igmp_max_msf.',
    cause: error,
  });
}
