/**
 * A connection to a data plane. Each attempt has one of its own: the runtime's own waiting times between attempts would add to ours.
 */
import { Client, credentials } from '@grpc/grpc-js';
import { KEEPALIVE_MS, MESSAGE_LIMIT_BYTES, WINDOW_BYTES } from './transport';

export function openClient(target: string): Client {
  return new Client(target, credentials.createInsecure(), {
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
