import type { Mrib } from '../../../control/mrib/mrib';
import type { RouteChange } from '../../../control/mrib/route';

/** Everything at once, as if each group were asked for again. */
export function thoughtOver(mrib: Mrib): readonly RouteChange[] {
  mrib.reversePathChanged();
  return mrib.thinkOver(Infinity);
}
