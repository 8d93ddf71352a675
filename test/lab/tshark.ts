/**
 * Captures read by somebody else: tshark says what a packet is, and whether anything about it is wrong.
 */
import { run } from './command';

/** Off by default in tshark, because captures of a sender's own packets come before its hardware fills them in. */
const CHECKED = ['ip.check_checksum:TRUE', 'udp.check_checksum:TRUE'];
const WRONG = '_ws.malformed || ip.checksum.status == "Bad" || igmp.checksum.status == "Bad" || udp.checksum.status == "Bad"';
const TIMEOUT_MS = 60_000;

/** One line of text for each packet that matches the display filter and is malformed or has a bad checksum. */
export async function wrongPackets(file: string, displayFilter: string): Promise<readonly string[]> {
  return lines(await run(tshark(file, `(${displayFilter}) && (${WRONG})`), { timeoutMs: TIMEOUT_MS }));
}

/** The fields of each packet that matches, in the order of the capture. A field that a packet has several times is joined by commas. */
export async function packetFields<Name extends string>(
  file: string,
  displayFilter: string,
  names: readonly Name[],
): Promise<readonly Readonly<Record<Name, string>>[]> {
  const fields = ['-T', 'fields', '-E', 'separator=/t', ...names.flatMap((name) => ['-e', name])];
  const text = await run([...tshark(file, displayFilter), ...fields], { timeoutMs: TIMEOUT_MS });
  return lines(text).map((line) => {
    const values = line.split('\t');
    return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ''])) as Record<Name, string>;
  });
}

function tshark(file: string, displayFilter: string): readonly string[] {
  return ['tshark', '-n', '-r', file, ...CHECKED.flatMap((option) => ['-o', option]), '-Y', displayFilter];
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
