// A worker made by hand: registers, takes a job, commits and reveals, with nothing of ours but the
// description of the commitment in primitives/types. On the way it does what a worker must not do, and a
// stranger does what only the worker may.
//
// Task: url, owner (of the model), cold, hot, submitter, stranger: accounts that nothing else happens to.

import { randomBytes } from 'node:crypto';
import { blake2AsHex } from '@polkadot/util-crypto';
import { blocks, connect, DispatchError, ENDED, feePaid, funds, key, parent, send } from './lib/chain.mjs';
import { encodeTokens, hash } from './lib/blob.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

const ASY = 10n ** 12n;

/** What the handmade model computes: two numbers for every sequence. */
const PROFILE = { unitsPerToken: 1_000_000, maxSequence: 16, dimensions: 2 };

run(async (task) => {
  const api = await connect(task.url);
  const [owner, cold, hot, submitter, stranger] = ['owner', 'cold', 'hot', 'submitter', 'stranger'].map((who) => key(task[who]));

  const { events } = await send(
    api,
    api.tx.artifacts.registerModel({ hash: hash(Buffer.from('package')), size: 7 }, hash(Buffer.from('{}')), PROFILE, ASY),
    owner,
  );
  const artifact = events.find((event) => api.events.artifacts.ModelRegistered.is(event)).data[0].toNumber();
  await send(api, api.tx.balances.transferKeepAlive(hot.address, 10n * ASY), cold);
  await send(api, api.tx.workers.register(hot.address, 'http://127.0.0.1:1/', 10_000n * ASY, ASY / 1000n), cold);
  await send(api, api.tx.workers.validateArtifacts([artifact]), hot);
  tell('registered', { artifact });

  const input = encodeTokens([[1, 2, 3]]);
  const spec = { artifact, input: { hash: hash(input), size: input.length }, sequences: 1, maxTokens: 3 };
  const { highestFee } = (await api.rpc.compute.estimate(spec)).toJSON();
  const extrinsic = await api.tx.computeMarket.submit(spec, highestFee).signAsync(submitter);
  const job = (await api.rpc.compute.submitJob(extrinsic.toHex(), `0x${input.toString('hex')}`)).toNumber();
  const view = async () => (await api.rpc.compute.job(job)).toJSON();
  const phase = async (name) => {
    for (;;) {
      const now = await view();
      if (now.phase.name === name) {
        return now;
      }
      if (ENDED.includes(now.phase.name)) {
        throw new Error(`expected the job to become ${name}, but it is ${JSON.stringify(now.phase)}`);
      }
      await blocks(api, 1);
    }
  };

  /** Checks that a call fails with the market's error `name`, changes nothing, and costs who signed it the fee alone. */
  const refused = async (name, call, pair) => {
    const before = JSON.stringify(await view());
    let error;
    try {
      await send(api, call, pair);
    } catch (thrown) {
      if (!(thrown instanceof DispatchError)) {
        throw thrown;
      }
      error = thrown;
    }
    expectEqual('error', error && `${error.pallet}.${error.name}`, `ComputeMarket.${name}`);
    expectEqual(`the job after ${name}`, JSON.stringify(await view()), before);
    const change = async (who) => {
      const then = await funds(api, who.address, await parent(api, error.block));
      const now = await funds(api, who.address, error.block);
      return { all: now.all - then.all, held: now.held - then.held };
    };
    const signers = await change(pair);
    expectEqual(`change of what the signer has by ${name}`, signers.all, -(await feePaid(api, pair.address, error.block)));
    expectEqual(`change of what the signer has on hold by ${name}`, signers.held, 0n);
    for (const [who, account] of Object.entries({ 'the worker': cold, 'the submitter': submitter })) {
      const { all, held } = await change(account);
      expectEqual(`change of what ${who} has by ${name}`, all, 0n);
      expectEqual(`change of what ${who} has on hold by ${name}`, held, 0n);
    }
    tell('refused', { error: error.name });
  };

  const { attempt } = await phase('assigned');
  const output = Buffer.alloc(4 * PROFILE.dimensions);
  const outcome = {
    status: 'Completed',
    tokens: 3,
    result: hash(output),
    trace: hash(traceHeader(3, output)),
    delivered: hash(output),
    deliveredSize: output.length,
  };
  const salt = randomBytes(32);
  const commitment = commit(api, { job, attempt, worker: cold, outcome, salt });

  // At the same time: the worker must acknowledge in time
  await Promise.all([
    refused('NotAssigned', api.tx.computeMarket.acknowledge(job), stranger),
    refused('WrongPhase', api.tx.computeMarket.commit(job, attempt, commitment), hot),
  ]);
  await send(api, api.tx.computeMarket.acknowledge(job), hot);
  await Promise.all([
    refused('NotAssigned', api.tx.computeMarket.commit(job, attempt, commitment), stranger),
    refused('WrongAttempt', api.tx.computeMarket.commit(job, attempt + 1, commitment), hot),
  ]);
  await send(api, api.tx.computeMarket.commit(job, attempt, commitment), hot);

  await phase('revealing');
  const reveal = (change, with_) => api.tx.computeMarket.reveal(job, attempt, { ...outcome, ...change }, with_ ?? salt);
  const other = hash(Buffer.from('other'));
  await refused('CommitmentMismatch', reveal({ result: other, delivered: other }), hot);
  await refused('CommitmentMismatch', reveal({}, randomBytes(32)), hot);
  await send(api, reveal({}), hot);

  const settled = await phase('settled');
  expectEqual('worker', settled.phase.worker, cold.address);
  expectEqual('result', settled.phase.outcome.result, outcome.result);
  tell('done', { job, payment: settled.phase.payment });
});

/** Version 1, tokens, size, status 0, result: see `Outcome::trace_header`. */
function traceHeader(tokens, output) {
  const header = Buffer.alloc(15);
  header.writeUInt16LE(1, 0);
  header.writeUInt32LE(tokens, 2);
  header.writeBigUInt64LE(BigInt(output.length), 6);
  return Buffer.concat([header, bytes(hash(output))]);
}

/** See `assay_types::commitment`. */
function commit(api, { job, attempt, worker, outcome, salt }) {
  const numbers = Buffer.alloc(12);
  numbers.writeBigUInt64LE(BigInt(job), 0);
  numbers.writeUInt32LE(attempt, 8);
  const preimage = [
    Buffer.from('assay/commit/1'),
    api.genesisHash.toU8a(),
    numbers,
    worker.publicKey,
    bytes(outcome.result),
    bytes(outcome.trace),
    bytes(outcome.delivered),
    salt,
  ];
  return blake2AsHex(Buffer.concat(preimage), 256);
}

const bytes = (hex) => Buffer.from(hex.slice(2), 'hex');
