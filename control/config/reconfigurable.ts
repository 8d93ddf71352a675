/**
 * What the transactions of config/ need of the router that runs. Implemented by the rooms above.
 */
import type { Settings } from './settings';

export interface Reconfigurable {
  /**
   * Makes the running router follow. Flows that the difference does not concern are not disturbed. Rejects with XmcastError: then the
   * settings before hold still. One call at a time.
   */
  reconfigure(settings: Settings): Promise<void>;
}
