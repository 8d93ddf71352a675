import { hasRouterAlert } from '../../../control/protocol/packet/router-alert';

const alert = [0x94, 4, 0, 0];

test.each<[string, number[], boolean]>([
  ['no options', [], false],
  ['the alert alone', alert, true],
  ['behind padding', [1, 1, 1, 1, ...alert], true],
  ['behind a record-route option', [7, 7, 4, 0, 0, 0, 0, 1, ...alert], true],
  ['behind the end of options', [0, 0, 0, 0, ...alert], false],
  ['inside the data of another option', [0x44, 8, 5, 0, ...alert], false],
  ['value 1', [0x94, 4, 0, 1], false],
  ['value 256', [0x94, 4, 1, 0], false],
  ['value 1, then a good one', [0x94, 4, 0, 1, ...alert], true],
  ['length 3', [0x94, 3, 0, 0], false],
  ['length 6', [0x94, 6, 0, 0, 0, 0, 0, 0], false],
  ['not copied on fragments: another option', [0x14, 4, 0, 0], false],
  ['cut off', [0x94, 4, 0], false],
  ['type without a length', [1, 1, 1, 0x94], false],
  ['an option of length 0, which would never end', [7, 0, 0, 0, ...alert], false],
  ['an option of length 1', [7, 1, ...alert, 0, 0], false],
  ['an option longer than the header', [7, 40, 0, 0, ...alert], false],
])('%s', (_name, options, expected) => {
  expect(hasRouterAlert(Uint8Array.from(options))).toBe(expected);
});
