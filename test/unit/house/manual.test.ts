/** The manual pages: made of what there is, and taken by groff without a warning. */
import { spawnSync } from 'node:child_process';
import { configSchema, type MessageSchema } from '../../../control/config/schema';
import { manualPages } from '../../../deploy/manual/main';
import { entryOf, literalOf, paragraphOf, titleOf } from '../../../deploy/manual/roff';

function rendered(page: string): string {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-rLL=100n', '-P-cbou'], { input: page, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

const pages = manualPages();

test.each([...pages.keys()])('%s renders without a warning', (name) => {
  const text = rendered(pages.get(name) ?? '');
  expect(text).toContain(name.replace(/\.\d$/, ''));
  expect(text).not.toContain('undefined');
});

test('xmcastctl(8) has commands, options, examples and exit statuses', () => {
  const text = rendered(pages.get('xmcastctl.8') ?? '');
  for (const words of ['config apply [options] <file>', '--tls-ca <file>', 'xmcastctl flows --sort rate -w', '7 the role of this certificate']) {
    expect(text.replaceAll(/\s+/g, ' ')).toContain(words);
  }
  expect(text).not.toContain('__complete');
});

test('xmcast.yaml(5) has every key there is', () => {
  const text = rendered(pages.get('xmcast.yaml.5') ?? '');
  const keysOf = ({ fields }: MessageSchema): string[] => fields.flatMap((field) => [field.key, ...(field.kind === 'message' ? keysOf(field.message) : [])]);
  for (const key of new Set(keysOf(configSchema()))) expect([key, text.includes(`${key}: `)]).toEqual([key, true]);
});

test('no text becomes a request', () => {
  const hostile = ".so /etc/passwd\n'br\n\\n(.z \\fBx\\fP -- \"quoted\"";
  const text = rendered(titleOf('x', 1, hostile) + paragraphOf(hostile) + entryOf(hostile.replaceAll('\n', ' '), '.ab') + literalOf(hostile));
  expect(text).toContain('.so /etc/passwd');
  expect(text).toContain('\\fBx\\fP');
});
