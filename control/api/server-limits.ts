/**
 * What all clients of the API's server may ask of it, on whatever listener; clients on TCP have limits of their own besides, so that they
 * cannot lock out who sits at the machine.
 */
import type { ApiLimits } from '../config/api-settings';

export type ServerLimits = Pick<ApiLimits, 'unixConnections' | 'watchers' | 'streamsPerConnection' | 'requestBytes'>;
