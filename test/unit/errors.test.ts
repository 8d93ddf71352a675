/**
 * The catalogue of coded errors against docs/errors.md: a section for each code, with cause, cure and exit status.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES, XmcastError, type ErrorCode } from '../../control/errors';

const text = readFileSync(join(__dirname, '../../docs/errors.md'), 'utf8');
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);
const codes = Object.entries(ERROR_CODES) as [ErrorCode, number][];

test('the codes documented are the codes there are', () => {
  expect([...sections.keys()].sort()).toEqual(codes.map(([code]) => code).sort());
});

test.each(codes)('%s is documented with its exit status %i, its cause and its cure', (code, exitStatus) => {
  expect(sections.get(code)).toMatch(new RegExp(`^Exit status: ${exitStatus}$`, 'm'));
  expect(sections.get(code)).toMatch(/^Cause: \S/m);
  expect(sections.get(code)).toMatch(/^Cure: \S/m);
});

test('exit statuses tell the codes apart, and from 0 and the statuses of shells and signals', () => {
  const statuses = codes.map(([, exitStatus]) => exitStatus);
  expect(new Set(statuses).size).toBe(statuses.length);
  expect(statuses.every((status) => Number.isInteger(status) && status > 0 && status < 126)).toBe(true);
});

test('an error carries its code, its hint, its cause and the exit status of its code', () => {
  const cause = new Error('EBUSY');
  const error = new XmcastError('XM_XDP_BUSY', 'attach XDP to eth3: EBUSY', { hint: 'stop the other program', cause });
  expect(error).toMatchObject({ name: 'XmcastError', code: 'XM_XDP_BUSY', hint: 'stop the other program', cause, exitStatus: 7 });
  expect(error.message).toBe('attach XDP to eth3: EBUSY');
});
