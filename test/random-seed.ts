/**
 * Where the random tests begin: at the same place each time, so that a run says something of the change before it and nothing of luck.
 * `npm run test:random` looks elsewhere; a failure names its seed, and XMCAST_SEED runs it again.
 */
import { configureGlobal } from 'fast-check';

const FIRST_SEED = 1;

configureGlobal({ seed: Number(process.env['XMCAST_SEED'] ?? FIRST_SEED) });
