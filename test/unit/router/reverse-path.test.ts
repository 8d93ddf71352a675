import type { Port } from '../../../control/router/port';
import { RouterReversePath, type UnicastLookup } from '../../../control/router/reverse-path';
import { ip } from './fakes';

function port(vport: number, options: { upstream?: boolean; prefix?: [string, number]; usable?: boolean }): Port {
  const { prefix } = options;
  return {
    vport,
    usable: options.usable ?? true,
    settings: { upstream: options.upstream ?? false },
    link: { ifindex: 100 + vport },
    addresses: prefix === undefined ? [] : [{ address: ip(prefix[0]), length: prefix[1] }],
  } as unknown as Port;
}

const UPSTREAM = port(1, { upstream: true, prefix: ['10.100.0.1', 24] });
const LAN = port(2, { prefix: ['10.1.0.1', 16] });
const PART = port(3, { prefix: ['10.1.9.1', 24] });

function lookup(found?: { ifindex: number; prefixLength: number }): UnicastLookup {
  return () => found;
}

test('a connected subnet decides, the longest one', () => {
  const path = new RouterReversePath([UPSTREAM, LAN, PART], lookup());
  expect(path.incomingFor(ip('10.1.2.3'))).toBe(2);
  expect(path.incomingFor(ip('10.1.9.9'))).toBe(3);
});

test('a unicast route through an interface of ours comes before the upstream', () => {
  expect(new RouterReversePath([UPSTREAM, LAN], lookup({ ifindex: 102, prefixLength: 8 })).incomingFor(ip('172.16.0.1'))).toBe(2);
});

test('a default route does not: whatever is unknown is upstream', () => {
  expect(new RouterReversePath([UPSTREAM, LAN], lookup({ ifindex: 102, prefixLength: 0 })).incomingFor(ip('172.16.0.1'))).toBe(1);
});

test('a route through an interface that is not ours leaves it to the upstream', () => {
  expect(new RouterReversePath([UPSTREAM, LAN], lookup({ ifindex: 7, prefixLength: 8 })).incomingFor(ip('172.16.0.1'))).toBe(1);
});

test('without an upstream the default route decides, if it is through an interface of ours', () => {
  expect(new RouterReversePath([LAN], lookup({ ifindex: 102, prefixLength: 0 })).incomingFor(ip('172.16.0.1'))).toBe(2);
  expect(new RouterReversePath([LAN], lookup({ ifindex: 7, prefixLength: 0 })).incomingFor(ip('172.16.0.1'))).toBeUndefined();
  expect(new RouterReversePath([LAN], lookup()).incomingFor(ip('172.16.0.1'))).toBeUndefined();
});

test('an interface that is away counts for nothing', () => {
  const away = port(1, { upstream: true, prefix: ['10.100.0.1', 24], usable: false });
  const path = new RouterReversePath([away, LAN], lookup({ ifindex: 101, prefixLength: 24 }));
  expect(path.upstream()).toBeUndefined();
  expect(path.incomingFor(ip('10.100.0.9'))).toBeUndefined();
});
