/**
 * "Did you mean …": the known word nearest to what was written. Cost is bounded whatever was written.
 */

/** Longer words are no misspelling of a key. */
const LONGEST_WORD = 48;

export function nearestWord(written: string, known: Iterable<string>): string | undefined {
  const word = normalise(written);
  if (word.length > LONGEST_WORD) return undefined;
  let nearest: string | undefined;
  // One edit in three characters: "nmae" is "name", "foo" is nothing.
  let allowed = Math.max(1, Math.floor(word.length / 3));
  if (word.length < 3) allowed = 0;
  for (const candidate of known) {
    const distance = editDistance(word, normalise(candidate));
    if (distance > allowed) continue;
    nearest = candidate;
    allowed = distance - 1;
  }
  return nearest;
}

/** The spellings of one key must not differ by more than they have to: ttl-threshold, ttlThreshold and TTL_threshold are alike. */
function normalise(word: string): string {
  return word
    .slice(0, LONGEST_WORD + 1)
    .toLowerCase()
    .replace(/[-_ ]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(at(previous, column) + 1, at(current, column - 1) + 1, at(previous, column - 1) + (same ? 0 : 1));
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? 0;
}
