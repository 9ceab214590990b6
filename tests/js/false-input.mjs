// Submits a job whose input is not what is served under its hash, and sees it fail by the submitter's
// fault, with nobody at a loss but for fees.
//
// Task: url, key (of an account that nothing else happens to), artifact, blobs (folder that is served).

import { writeFile } from 'node:fs/promises';
import { connect, ENDED, feePaid, funds, key, parent, send } from './lib/chain.mjs';
import { encodeTokens, hash } from './lib/blob.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

run(async ({ url, key: uri, artifact, blobs }) => {
  const api = await connect(url);
  const submitter = key(uri);
  const workers = (await api.rpc.compute.workers(artifact)).toJSON();
  expectEqual('workers that have the model', workers.length, 1);
  const [worker] = workers;

  const input = encodeTokens([[101, 2023, 102]]);
  const spec = { artifact, input: { hash: hash(input), size: input.length }, sequences: 1, maxTokens: 3 };
  const forged = encodeTokens([[101, 2024, 102]]);
  await writeFile(`${blobs}/${spec.input.hash.slice(2)}`, forged);

  const { highestFee } = (await api.rpc.compute.estimate(spec)).toJSON();
  // Not through compute_submitJob, which would store the right input
  const { block: submitted, events } = await send(api, api.tx.computeMarket.submit(spec, highestFee), submitter);
  const job = events.find((event) => api.events.computeMarket.Submitted.is(event)).data[0].toNumber();
  tell('submitted', { job });
  const start = await parent(api, submitted);
  const before = { submitter: await funds(api, submitter.address, start), worker: await funds(api, worker.account, start) };

  const last = await new Promise((resolve, reject) => {
    api.rpc.compute
      .subscribeJob(job, (message) => {
        const update = message.toJSON();
        tell('update', { phase: update.job?.phase, attempts: update.job?.attempts });
        if (ENDED.includes(update.job?.phase.name)) {
          resolve(update);
        }
      })
      .catch(reject);
  });
  expectEqual('phase', last.job.phase.name, 'failed');
  expectEqual('fault', last.job.phase.fault, 'submitter');
  expectEqual('held', last.job.held, '0');

  const after = {
    submitter: await funds(api, submitter.address, last.blockHash),
    worker: await funds(api, worker.account, last.blockHash),
  };
  expectEqual("the worker's bond", after.worker.held, before.worker.held);
  // One report is not paid for: it may be the worker that lies
  expectEqual("all that the worker's cold account has", after.worker.all, before.worker.all);
  const fee = await feePaid(api, submitter.address, submitted);
  expectEqual('spent by the submitter', before.submitter.all - after.submitter.all, fee);
  expectEqual('still held of the submitter', after.submitter.held - before.submitter.held, BigInt(last.job.deposit));
  tell('done', { job });
});
