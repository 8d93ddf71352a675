/**
 * What both ends of DataplaneService ask of the connection.
 */
/** 65,536 changes of routes with some outgoing ports each. */
export const MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024;
/** HTTP/2 lets 64 KiB be under way by default: a round trip for every forty packets of 1,500 bytes. */
export const WINDOW_BYTES = 1024 * 1024;
/** The other end is asked whether it is there when it says nothing for so long, and has as long to answer. */
export const KEEPALIVE_MS = 10_000;
