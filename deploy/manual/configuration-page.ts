/**
 * xmcast.yaml(5), from the comments of the schema of the configuration.
 */
import { FileDescriptorSet } from 'protobufjs/ext/descriptor';

import { readSchema } from '../../control/api/schema';

import { entryOf, headingOf, literalOf, paragraphOf, subheadingOf, titleOf } from './roff';

const FILE = 'xmcast/v1/config.proto';
const REPEATED = 3;
/** Numbers of fields in google/protobuf/descriptor.proto, of which paths of source locations are made. */
const MESSAGES = 4;
const FIELDS = 2;

interface FieldDescriptor {
  readonly name: string;
  readonly type: number;
  readonly typeName?: string;
  readonly label: number;
}
interface FileDescriptor {
  readonly name: string;
  readonly messageType: readonly { readonly name: string; readonly field: readonly FieldDescriptor[] }[];
  readonly sourceCodeInfo: { readonly location: readonly { readonly path: readonly number[]; readonly leadingComments?: string }[] };
}

const EXAMPLE = `interfaces:
  - name: eth0
    upstream: true
  - name: eth1
  - name: eth2
    ttl_threshold: 16
    igmp: { version: 2, query_interval: 60s }
metrics:
  listen: 127.0.0.1:9469
`;

export function configurationPage(): string {
  const { file } = FileDescriptorSet.toObject(FileDescriptorSet.decode(readSchema()), { arrays: true }) as unknown as {
    file: readonly FileDescriptor[];
  };
  const found = file.find(({ name }) => name === FILE);
  if (found === undefined) throw new Error(`the compiled schema has no ${FILE}`);
  const comments = new Map(found.sourceCodeInfo.location.map(({ path, leadingComments }) => [path.join('.'), leadingComments ?? '']));
  const sections = found.messageType.map(({ name, field }, message) => {
    const entries = field.map((each, index) => entryOf(termOf(each), comments.get([MESSAGES, message, FIELDS, index].join('.')) ?? ''));
    return subheadingOf(name === 'Config' ? 'Top level' : name) + paragraphOf(comments.get(`${MESSAGES}.${message}`) ?? '') + entries.join('');
  });
  return [
    titleOf('xmcast.yaml', 5, 'configuration of xmcastd'),
    headingOf('description'),
    paragraphOf('YAML 1.2, one document. Keys are written as here or in lowerCamelCase. Durations are numbers with a unit, such as 60s or 1.5s. What is left out has its default. A file with a problem is refused as a whole, with the line of each problem.'),
    headingOf('example'),
    literalOf(EXAMPLE),
    headingOf('keys'),
    ...sections,
    headingOf('see also'),
    paragraphOf('xmcastd(8), xmcastctl(8)'),
  ].join('');
}

/** "interfaces: list of InterfaceConfig". */
function termOf({ name, type, typeName, label }: FieldDescriptor): string {
  const kinds: Readonly<Record<number, string>> = { 8: 'boolean', 9: 'text', 13: 'number' };
  const kind = typeName === '.google.protobuf.Duration' ? 'duration' : (typeName?.split('.').at(-1) ?? kinds[type] ?? 'value');
  return `${name}: ${label === REPEATED ? 'list of ' : ''}${kind}`;
}
