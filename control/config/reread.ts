/**
 * The configuration file once more, for a daemon that runs: what is wrong with it is a refusal, not the end.
 */
import { errorText } from '../errors';
import { checkConfigText } from './check';
import { readConfigText } from './load';
import { ConfigRefusal } from './refusal';
import { contentOf, type Content } from './revision';

/** Rejects with ConfigRefusal FILE_INVALID, its problems with their places in the file. */
export async function rereadConfigFile(path: string): Promise<Content> {
  const text = await readConfigText(path).catch((cause: unknown) => {
    throw new ConfigRefusal('FILE_INVALID', errorText(cause), { metadata: { file: path }, cause });
  });
  const { config, problems } = checkConfigText(text);
  if (config !== undefined) return contentOf(config);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const first = problems[0] === undefined ? '' : `, first ${problems[0].line}:${problems[0].column}: ${problems[0].path}: ${problems[0].message}`;
  throw new ConfigRefusal('FILE_INVALID', `${path} has ${count}${first}`, { metadata: { file: path }, problems });
}
