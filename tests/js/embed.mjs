// Has sentences embedded through the chain, checks the result against a reference and the payment
// against the balances. While it runs, its submitter, the model's owner and the worker's cold account must have no other
// income and no other expenses: what they gained between two blocks is compared with this job's payment alone.
//
// Task: url, key (who pays), artifact, vectors (file), take (sentences).

import { readFile } from 'node:fs/promises';
import { connect, ENDED, feePaid, funds, key, warnings } from './lib/chain.mjs';
import { cosine, decodeRows, encodeTokens, fetchBlob, hash, largestDifference } from './lib/blob.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

/**
 * How near each vector must be to the reference, which is in floats where ours has weights of eight bits: as in the
 * engine's own test, worker/engine/tests/minilm.rs.
 */
const LEAST_COSINE = 0.999;
const LARGEST_DIFFERENCE = 0.01;

/**
 * What @polkadot/api may warn of: it asks the node for its methods, and names those that it was not told how to call
 * (`compute_jobs` and the SDK's newer ones). None is called here.
 */
const EXPECTED_WARNING = /API\/INIT: RPC methods not decorated: /;

run(async ({ url, key: uri, artifact, vectors: file, take }) => {
  const { vectors } = JSON.parse(await readFile(file, 'utf8'));
  const reference = vectors.slice(0, take);
  const api = await connect(url);
  const submitter = key(uri);

  // begin quote: submit
  const input = encodeTokens(reference.map(({ ids }) => ids));
  const spec = {
    artifact,
    input: { hash: hash(input), size: input.length },
    sequences: reference.length,
    maxTokens: reference.reduce((sum, { ids }) => sum + ids.length, 0),
  };
  const estimate = (await api.rpc.compute.estimate(spec)).toJSON();
  const extrinsic = await api.tx.computeMarket.submit(spec, estimate.highestFee).signAsync(submitter);
  const job = await api.rpc.compute.submitJob(extrinsic.toHex(), `0x${input.toString('hex')}`);
  // end quote

  tell('submitted', { job: job.toNumber(), maxFee: estimate.highestFee });
  const { last, before } = await follow(api, job);
  expectEqual('phase', last.job.phase.name, 'settled');
  const { worker, outcome, payment } = last.job.phase;

  // begin quote: fetch
  const [offer] = (await api.rpc.compute.workers(artifact)).toJSON().filter(({ account }) => account === worker);
  const output = await fetchBlob(offer.endpoint, outcome.delivered);
  const embeddings = decodeRows(output, reference.length);
  // end quote

  expectEqual('size of the output', output.length, outcome.deliveredSize);
  expectEqual('hash of the result', outcome.result, outcome.delivered);
  expectEqual('tokens', outcome.tokens, spec.maxTokens);
  const cosines = embeddings.map((embedding, index) => cosine(embedding, reference[index].embedding));
  if (!cosines.every((value) => value > LEAST_COSINE)) {
    throw new Error(`cosines with the reference: ${cosines}, expected all above ${LEAST_COSINE}`);
  }

  const differences = embeddings.map((embedding, index) => largestDifference(embedding, reference[index].embedding));
  if (!differences.every((value) => value < LARGEST_DIFFERENCE)) {
    throw new Error(`largest differences from the reference: ${differences}, expected all below ${LARGEST_DIFFERENCE}`);
  }

  await checkMoney(api, { submitter, worker, artifact, last, before, payment });
  checkWarnings();
  tell('done', { job: job.toNumber(), worker, outcome, payment, cosines, differences, warnings });
});

/** Tells each change of the job until it has ended in a final block; gives the last one and the one before it. */
async function follow(api, job) {
  let before = null;
  return new Promise((resolve, reject) => {
    api.rpc.compute
      .subscribeJob(job, (message) => {
        const update = message.toJSON();
        tell('update', { finalized: update.finalized, block: update.blockNumber, phase: update.job?.phase, held: update.job?.held });
        if (!update.finalized || !update.job) {
          return;
        }
        if (ENDED.includes(update.job.phase.name)) {
          resolve({ last: update, before });
        } else {
          before = update;
        }
      })
      .catch(reject);
  });
}

/** Whether everyone has what the chain says they were paid, over exactly the job's life. */
async function checkMoney(api, { submitter, worker, artifact, last, before, payment }) {
  const parts = Object.fromEntries(Object.entries(payment).map(([part, amount]) => [part, BigInt(amount)]));
  const spent = parts.worker + parts.artifact + parts.treasury + parts.burned;
  expectEqual('parts of the payment in sum', spent + parts.refunded, BigInt(before.job.held));

  const submitted = await api.rpc.chain.getBlockHash(last.job.submittedAt);
  const start = await api.rpc.chain.getBlockHash(last.job.submittedAt - 1);
  const change = async (account) => {
    const [then, now] = [await funds(api, account, start), await funds(api, account, last.blockHash)];
    return now.all - then.all;
  };
  const { owner } = (await (await api.at(last.blockHash)).query.artifacts.artifacts(artifact)).unwrap();
  expectEqual('earned by the worker', await change(worker), parts.worker);
  expectEqual("earned by the model's owner", await change(owner), parts.artifact);
  const fee = await feePaid(api, submitter.address, submitted);
  expectEqual('spent by the submitter', await change(submitter.address), -(spent + fee));
  const { held } = await funds(api, submitter.address, last.blockHash);
  expectEqual('still held of the submitter', held, BigInt(last.job.deposit));
}

function checkWarnings() {
  const others = warnings.filter((line) => !EXPECTED_WARNING.test(line));
  expectEqual('warnings', others.join('; '), '');
}
