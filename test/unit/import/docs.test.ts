/**
 * docs/migration.md against the code: its examples are what the translation makes, and its configurations are good ones.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConfigText } from '../../../control/config/check';
import { configToYaml } from '../../../control/config/format';
import { importConfig } from '../../../control/import/import-config';
import { IMPORT_FORMATS } from '../../../control/import/import-result';

const text = readFileSync(join(__dirname, '../../../docs/migration.md'), 'utf8');
const blocks = [...text.matchAll(/^```([a-z]+)\n(.*?)^```/gms)].map(([, language = '', content = '']) => ({ language, content }));

test.each(IMPORT_FORMATS)('the example of %s is translated as the page says', (format) => {
  const at = blocks.findIndex(({ language }) => language === format);
  const { config } = importConfig(format, blocks[at]!.content);
  expect(configToYaml(config)).toBe(blocks[at + 1]!.content);
});

test('every configuration on the page is one without a problem', () => {
  const yaml = blocks.filter(({ language }) => language === 'yaml');
  expect(yaml.length).toBe(4);
  for (const { content } of yaml) expect(checkConfigText(content).problems).toEqual([]);
});

const WORDS =
  'upstream downstream disabled threshold altnet whitelist blacklist quickleave hashtablesize rescanvif defaultdown ratelimit chroot user ' +
  'mroute mgroup ssmgroup phyint ttl-threshold mrdisc include';

test.each(WORDS.split(' '))('%s stands in the tables', (word) => {
  expect(text).toMatch(new RegExp(`^\\| \`.*\\b${word}\\b.*\\|$`, 'm'));
});
