// Submits a job whose input is not what is served under its hash, and sees it fail by the submitter's
// fault, with nobody at a loss but for fees.
//
// Task: url, key, artifact, blobs (folder that is served).

import { writeFile } from 'node:fs/promises';
import { connect, funds, key, send } from './lib/chain.mjs';
import { encodeTokens, hash } from './lib/blob.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

run(async ({ url, key: uri, artifact, blobs }) => {
  const api = await connect(url);
  const submitter = key(uri);
  const [worker] = (await api.rpc.compute.workers(artifact)).toJSON();
  const before = await funds(api, worker.account, await api.rpc.chain.getBlockHash());

  const input = encodeTokens([[101, 2023, 102]]);
  const spec = { artifact, input: { hash: hash(input), size: input.length }, sequences: 1, maxTokens: 3 };
  const forged = encodeTokens([[101, 2024, 102]]);
  await writeFile(`${blobs}/${spec.input.hash.slice(2)}`, forged);

  const { highestFee } = (await api.rpc.compute.estimate(spec)).toJSON();
  // Not through compute_submitJob, which would store the right input
  const { events } = await send(api, api.tx.computeMarket.submit(spec, highestFee), submitter);
  const job = events.find((event) => api.events.computeMarket.Submitted.is(event)).data[0].toNumber();
  tell('submitted', { job });

  const last = await new Promise((resolve, reject) => {
    api.rpc.compute
      .subscribeJob(job, (message) => {
        const update = message.toJSON();
        tell('update', { phase: update.job?.phase, attempts: update.job?.attempts });
        if (!update.finalized && ['failed', 'settled', 'expired'].includes(update.job?.phase.name)) {
          resolve(update);
        }
      })
      .catch(reject);
  });
  expectEqual('phase', last.job.phase.name, 'failed');
  expectEqual('fault', last.job.phase.fault, 'submitter');
  expectEqual('held', last.job.held, '0');
  const after = await funds(api, worker.account, last.blockHash);
  expectEqual("the worker's bond", after.held, before.held);
  tell('done', { job });
});
