// How a script talks to whoever started it: it takes one JSON argument and prints one JSON object a line.

/** How long a script may take, in seconds: all of them are done in half of that on a slow machine. */
const LIMIT = 300;

/** The last event told of. */
let last = 'no event';

/** What the script was asked to do. */
export function task() {
  const argument = process.argv[2];
  if (!argument) {
    throw new Error(`usage: node ${process.argv[1]} '{"url": "ws://…", …}'`);
  }
  return JSON.parse(argument);
}

/** Tells of an event. */
export function tell(event, fields = {}) {
  const plain = (_, value) => (typeof value === 'bigint' ? value.toString() : value);
  last = JSON.stringify({ event, ...fields }, plain);
  process.stdout.write(`${last}\n`);
}

/** Runs the script; what it throws is printed and makes it fail, and so does taking too long. */
export async function run(script) {
  const tooLong = setTimeout(() => {
    process.stderr.write(`not done after ${LIMIT} s; the last event: ${last}\n`);
    process.exit(1);
  }, LIMIT * 1000);
  try {
    await script(task());
    clearTimeout(tooLong);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
  }
}

/** Fails with both values unless they are equal. */
export function expectEqual(what, got, expected) {
  if (got !== expected) {
    throw new Error(`${what}: expected ${expected}, got ${got}`);
  }
}
