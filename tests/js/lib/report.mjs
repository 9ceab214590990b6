// How a script talks to whoever started it: it takes one JSON argument and prints one JSON object a line.

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
  process.stdout.write(`${JSON.stringify({ event, ...fields }, plain)}\n`);
}

/** Runs the script; what it throws is printed and makes it fail. */
export async function run(script) {
  try {
    await script(task());
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
