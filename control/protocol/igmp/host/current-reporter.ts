/**
 * A host of version 3: State-Change Reports and answers to queries, in as few packets as the link allows. Owns neither's rules.
 */
import { packReports } from '../codes';
import type { IgmpQuery } from '../message';
import { ALL_IGMPV3_ROUTERS } from '../wire';
import { isNothing } from './filter';
import { QueryAnswers } from './query-answers';
import type { Reporter, Turn } from './reporter';
import { StateChangeReports } from './state-change-reports';
import type { UnsettledGroup } from './unsettled-group';

export class CurrentReporter implements Reporter {
  readonly version = 3;
  readonly #changes = new StateChangeReports();
  readonly #answers = new QueryAnswers();

  heardQuery(query: IgmpQuery, turn: Turn): void {
    this.#answers.heardQuery(query, turn);
  }

  /**
   * RFC 3376 §7.2.2 lets older reports suppress ours; it is a MAY, RFC 4604 §2.2.1 forbids it for source-specific groups, and the
   * router would take the older host's EXCLUDE({}) for what we want.
   */
  heardReport(): boolean {
    return false;
  }

  report(changes: readonly UnsettledGroup[], turn: Turn): void {
    for (const { group, wanted } of changes) if (isNothing(wanted)) this.#answers.forget(group);
    const records = [...this.#changes.report(changes, turn), ...this.#answers.takeDue(turn)];
    for (const message of packReports(records, turn.mtu)) turn.send(ALL_IGMPV3_ROUTERS, message);
  }

  nextDeadline(): number | undefined {
    const changes = this.#changes.nextDeadline();
    const answers = this.#answers.nextDeadline();
    return changes === undefined ? answers : Math.min(changes, answers ?? changes);
  }
}
