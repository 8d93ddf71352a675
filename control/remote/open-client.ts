/**
 * A connection to a data plane. Each attempt has one of its own: the runtime's own waiting times between attempts would add to ours, and
 * certificates that were renewed meanwhile are read again.
 */
import { readFileSync } from 'node:fs';
import { Client, credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { KEEPALIVE_MS, MESSAGE_LIMIT_BYTES, WINDOW_BYTES } from './transport';

/** Paths of PEM files. */
export interface ControllerTls {
  /** Authorities of the data plane's certificate. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** The name that the data plane's certificate must have. Default: the host of the target. */
  readonly serverName?: string | undefined;
}

export interface DataplaneAddress {
  /** "unix:///run/xmcast/dataplane.sock", or "host:port" with `tls`. */
  readonly target: string;
  readonly tls?: ControllerTls | undefined;
}

/** Throws when a file cannot be read. */
export function openClient({ target, tls }: DataplaneAddress): Client {
  return new Client(target, credentialsOf(tls), {
    ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
    'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
}

function credentialsOf(tls: ControllerTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(readFileSync(tls.ca), readFileSync(tls.key), readFileSync(tls.certificate));
}
