/** Roles: the table of methods against the services there are, names out of certificates, and rules against names. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Root, Service } from 'protobufjs';
import 'protobufjs/ext/descriptor';
import { service as healthService } from 'grpc-health-check';

import { includesRole, METHOD_ROLES, neededRole, roleFinder } from '../../../control/api/access';
import { certificateNames } from '../../../control/api/certificate-names';
import { readSchema } from '../../../control/api/schema';
import { TokenBucket } from '../../../control/api/token-bucket';

function methodsOfSchema(): string[] {
  const services: Service[] = [];
  const collect = (root: Root): void => {
    for (const nested of root.nestedArray) {
      if (nested instanceof Service) services.push(nested);
      else if ('nestedArray' in nested) collect(nested as Root);
    }
  };
  collect(Root.fromDescriptor(readSchema()));
  return services.flatMap((service) => service.methodsArray.map(({ name }) => `/${service.fullName.slice(1)}/${name}`));
}

const REFLECTION = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

test('every method of every service has its role, and no other does', () => {
  const health = Object.values(healthService).map(({ path: method }) => method);
  expect(Object.keys(METHOD_ROLES).sort()).toEqual([...methodsOfSchema(), ...health, ...REFLECTION].sort());
});

test('only admins may call what is in no table, whatever it is called', () => {
  for (const method of ['/xmcast.v1.ConfigService/DropEverything', 'constructor', '__proto__', '']) expect(neededRole(method)).toBe('admin');
});

test('what changes something is for no viewer', () => {
  const changing = /\/(Apply|Confirm|Rollback|Reload|Update|Set|Reset|Detach|Renew|Delete|Write|Control)/;
  for (const [method, role] of Object.entries(METHOD_ROLES)) expect([method, changing.test(method)]).toEqual([method, role !== 'viewer']);
});

test('each role includes those before it; none includes nothing', () => {
  const included = (['viewer', 'operator', 'admin', undefined] as const).map((given) =>
    (['viewer', 'operator', 'admin'] as const).filter((needed) => includesRole(given, needed)),
  );
  expect(included).toEqual([['viewer'], ['viewer', 'operator'], ['viewer', 'operator', 'admin'], []]);
});

test.each<[string, string | undefined, object, string[]]>([
  ['URIs and DNS names', 'URI:spiffe://a/b, DNS:Host.Example, IP Address:1.2.3.4, email:x@y', { CN: 'c' }, ['spiffe://a/b', 'host.example']],
  ['the common name where there is neither', 'IP Address:1.2.3.4', { CN: 'c' }, ['CN=c']],
  ['no common name beside others', 'DNS:a', { CN: 'c' }, ['a']],
  ['two common names', undefined, { CN: ['a', 'b'] }, []],
  // CVE-2021-44532: a name that looks like two is printed in JSON.
  ['a name that holds another', 'DNS:"a, URI:spiffe://admin", DNS:b', {}, ['a, uri:spiffe://admin', 'b']],
  ['a quote left open', 'DNS:"a, DNS:b', {}, []],
  ['nothing', undefined, {}, []],
])('names: %s', (_what, subjectaltname, subject, names) => {
  expect(certificateNames({ subjectaltname, subject } as unknown as Parameters<typeof certificateNames>[0])).toEqual(names);
});

test.each([
  ['spiffe://x/ops/*', 'spiffe://x/ops/a', true],
  ['spiffe://x/ops/*', 'spiffe://x/ops/a/b', false],
  ['spiffe://x/ops/*', 'spiffe://x/opsy', false],
  ['spiffe://x/ops', 'spiffe://X/ops', false],
  ['*.example.net', 'a.example.net', true],
  ['*.example.net', 'example.net', false],
  ['*.example.net', 'aXexample.net', false],
  ['HOST.example', 'host.example', true],
  ['CN=a.c', 'CN=abc', false],
  ['CN=*', 'CN=anybody', true],
  ['CN=a', 'a', false],
  ['a', 'CN=a', false],
])('%s matches %s: %s', (match, name, matches) => {
  expect(roleFinder([{ match, role: 'viewer' }])([name])).toBe(matches ? 'viewer' : undefined);
});

test('the first rule that matches one of the names decides', () => {
  const find = roleFinder([
    { match: 'b', role: 'viewer' },
    { match: 'a', role: 'admin' },
  ]);
  expect([find(['a', 'b']), find(['a']), find([])]).toEqual(['viewer', 'admin', undefined]);
});

test('a bucket gives its rate on average, twice as much at once, and nothing for a clock that goes back', () => {
  const bucket = new TokenBucket(10, 0);
  const taken = (nowMs: number): number => Array.from({ length: 100 }, () => bucket.take(nowMs)).filter(Boolean).length;
  expect([taken(0), taken(500), taken(400), taken(500), taken(60_000)]).toEqual([20, 5, 0, 1, 20]);
});

test('docs/security.md has every method with its role', () => {
  const text = readFileSync(path.resolve(__dirname, '../../../docs/security.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(viewer|operator|admin)` \| (.*) \|$/gm)];
  const documented = rows.flatMap(([, role = '', methods = '']) => [...methods.matchAll(/`(\w+)`/g)].map(([, method = '']) => [method, role]));
  const own = Object.entries(METHOD_ROLES).map(([method, role]) => [method.slice(method.lastIndexOf('/') + 1), role]);
  const sorted = (pairs: string[][]): string[] => [...new Set(pairs.map((pair) => pair.join(' ')))].sort();
  expect(sorted(documented)).toEqual(sorted(own));
});
