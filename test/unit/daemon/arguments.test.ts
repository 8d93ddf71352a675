/** The command line of xmcastd, role by role. */
import { parseArguments } from '../../../control/arguments';
import { dataplaneNetwork } from '../../../control/between-roles';

test('without options: both halves, and the places where packages put things', () => {
  expect(parseArguments([])).toMatchObject({ role: 'all', check: false, dataplane: 'unix:///run/xmcast/dataplane.sock', dataplaneSocket: '/run/xmcast/dataplane.sock', electionId: 1n, maxRoutes: 16_384 });
});

test.each([
  [['--role', 'dataplane', '--config', 'x.yaml'], '--config in role "dataplane"'],
  [['--role', 'controller', '--pin-path', '/x'], '--pin-path in role "controller"'],
  [['--role', 'controller', '--bpf-object', '/x'], '--bpf-object in role "controller"'],
  [['--dataplane', 'unix:///x'], '--dataplane in role "all"'],
])('%j: refused, as it would have no effect', (argv, words) => {
  expect(() => parseArguments(argv)).toThrow(expect.objectContaining({ code: 'XM_USAGE', message: expect.stringContaining(words) as string }) as Error);
});

test.each([
  [['--role', 'other']],
  [['--role', 'dataplane', '--max-routes', '15']],
  [['--role', 'controller', '--election-id', '-1']],
  [['--role', 'controller', '--election-id', '18446744073709551616']],
])('%j: refused', (argv) => {
  jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
  expect(() => parseArguments(argv)).toThrow(expect.objectContaining({ name: 'CommanderError' }) as Error);
});

test('values of each role', () => {
  expect(parseArguments(['--role', 'dataplane', '--max-routes', '1048576', '--log-level', 'debug'])).toMatchObject({ role: 'dataplane', maxRoutes: 1_048_576, logLevel: 'debug' });
  expect(parseArguments(['--role', 'controller', '--election-id', '18446744073709551615'])).toMatchObject({ electionId: 2n ** 64n - 1n });
});

test('--help ends well, and names every option that a role refuses', () => {
  const said = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  expect(() => parseArguments(['--help'])).toThrow(expect.objectContaining({ name: 'CommanderError', exitCode: 0 }) as Error);
  const text = said.mock.calls.map(([chunk]) => String(chunk)).join('');
  for (const flag of ['--role', '--dataplane ', '--election-id', '--dataplane-socket', '--max-routes', '--detach-on-stop']) expect(text).toContain(flag);
});

test('who may do what with a data plane over TCP', () => {
  const listen = ['--role', 'dataplane', '--dataplane-listen', '10.0.0.1:9471'];
  const files = ['--tls-ca', '/ca.pem', '--tls-cert', '/cert.pem', '--tls-key', '/key.pem'];
  const rolesOf = (...more: string[]) => dataplaneNetwork(parseArguments([...listen, ...files, ...more]))?.roles;
  expect(rolesOf('--allow', 'CN=one', 'two.example.net', '--allow-read', 'CN=probe*')).toEqual([
    { match: 'CN=one', role: 'admin' },
    { match: 'two.example.net', role: 'admin' },
    { match: 'CN=probe*', role: 'viewer' },
  ]);
  expect(rolesOf('--allow-read', 'CN=probe')).toEqual([{ match: 'CN=probe', role: 'viewer' }]);
  const refused = expect.objectContaining({ code: 'XM_USAGE', hint: expect.stringContaining('--allow-read') as string }) as Error;
  expect(() => rolesOf()).toThrow(refused);
  expect(() => dataplaneNetwork(parseArguments([...listen, '--allow', 'CN=one']))).toThrow(refused);
});
