/**
 * What an operator is told when an interface changes: one event for each thing that is different. Pure.
 */
import type { NewEvent } from '../events';
import type { PortAttachment } from '../dataplane/api';
import type { XmcastError } from '../errors';
import type { LinkState } from '../kernel/interface-table';

/** What of a port can be news. */
export interface PortFace {
  readonly link: LinkState | undefined;
  readonly attachment: PortAttachment | undefined;
  readonly problem: XmcastError | undefined;
}

export function portEvents(name: string, before: PortFace, after: PortFace): readonly NewEvent[] {
  return [...linkEvents(name, before.link, after.link), ...attachmentEvents(name, before, after)].map((event) => ({
    ...event,
    subject: name,
    fields: { interface: name, ...event.fields },
  }));
}

function linkEvents(name: string, before: LinkState | undefined, after: LinkState | undefined): readonly NewEvent[] {
  const isSame = before?.ifindex === after?.ifindex;
  const events: NewEvent[] = [];
  if (!isSame && before !== undefined) events.push({ type: 'interface-removed', severity: 'warn', text: `${name} is gone` });
  if (!isSame && after !== undefined) events.push({ type: 'interface-added', text: `${name} is there` });
  const wasUp = isSame && before?.up === true;
  if (after?.up === true && !wasUp) events.push({ type: 'interface-up', text: `${name} is up` });
  if (after?.up === false && wasUp) events.push({ type: 'interface-down', severity: 'warn', text: `${name} is down` });
  return events;
}

function attachmentEvents(name: string, before: PortFace, after: PortFace): readonly NewEvent[] {
  const { attachment, problem } = after;
  // Tried again and again: said once.
  if (problem !== undefined) {
    if (before.problem?.message === problem.message) return [];
    return [{ type: 'interface-failed', severity: 'error', text: problem.message, fields: { code: problem.code, hint: problem.hint } }];
  }
  if (attachment === undefined) return [];
  const isSame = before.attachment?.mode === attachment.mode && before.attachment.reason === attachment.reason;
  return isSame ? [] : [attachedEvent(name, attachment)];
}

/** tc is slower than XDP: never chosen without a word. */
function attachedEvent(name: string, { mode, reason, isFallback }: PortAttachment): NewEvent {
  const text = mode === 'xdp' ? `${name} runs in XDP mode` : `${name} runs in tc mode: ${reason}`;
  return { type: 'interface-attached', severity: isFallback ? 'warn' : 'info', text, fields: { mode, ...(reason === '' ? {} : { reason }) } };
}
