/**
 * What one client, and all of them together, may ask of the API's server.
 */

/** As large as a configuration file may be. */
export const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;
/** Of one connection. */
export const MAX_CONCURRENT_STREAMS = 100;
/** Of the unix socket; those on TCP have limits of their own, so that they cannot lock out who sits at the machine. */
export const MAX_CONNECTIONS = 64;
