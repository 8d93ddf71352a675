/**
 * The Router Alert option of IPv4 (RFC 2113): its bytes, and finding it among a header's options.
 * Never decides whether a packet needs it: that is policy of the protocol that asks.
 */

/** RFC 2113 §2.1: copied, class 0, number 20; length 4; value 0, "router shall examine packet". */
export const ROUTER_ALERT_OPTION: Uint8Array = Uint8Array.of(0x94, 0x04, 0x00, 0x00);

// RFC 791 §3.1: the two options that are one byte without a length.
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;

/**
 * Walks all options: the alert need not be the first (it may follow padding or a timestamp). Only value 0 counts, since
 * RFC 2113 §2.2 has unrecognized values ignored. Ends at the first option whose length is impossible: nothing behind it can be trusted.
 */
export function hasRouterAlert(options: Uint8Array): boolean {
  let offset = 0;
  while (offset < options.length) {
    const type = options[offset];
    if (type === END_OF_OPTIONS) return false;
    if (type === NO_OPERATION) {
      offset += 1;
      continue;
    }
    const length = options[offset + 1] ?? 0;
    if (length < 2 || offset + length > options.length) return false;
    if (isRouterAlertAt(options, offset)) return true;
    offset += length;
  }
  return false;
}

function isRouterAlertAt(options: Uint8Array, offset: number): boolean {
  return ROUTER_ALERT_OPTION.every((byte, index) => options[offset + index] === byte);
}
