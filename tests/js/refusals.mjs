// Submits jobs that must be refused, and checks that each refusal has its name and leaves money and
// jobs as they were.
//
// Task: url, key, artifact.

import { connect, feePaid, funds, key, send } from './lib/chain.mjs';
import { encodeTokens, hash } from './lib/blob.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

/** The codes of the node's errors. */
const FAILED = 20014;
const INPUT_MISMATCH = 20002;
const INPUT_TOO_LARGE = 20003;

run(async ({ url, key: uri, artifact }) => {
  const api = await connect(url);
  const submitter = key(uri);
  const input = encodeTokens([[101, 102]]);
  const spec = { artifact, input: { hash: hash(input), size: input.length }, sequences: 1, maxTokens: 2 };
  const hex = `0x${input.toString('hex')}`;
  const estimate = (await api.rpc.compute.estimate(spec)).toJSON();
  const enough = BigInt(estimate.highestFee);
  const ids = async () => (await api.query.computeMarket.nextJobId()).toString();

  /** Submits through the node, and gives the error's code and data. */
  const refused = async (call, ...blob) => {
    const extrinsic = await call.signAsync(submitter);
    try {
      await api.rpc.compute.submitJob(extrinsic.toHex(), ...blob);
    } catch (error) {
      return { code: error.code, data: error.data, message: error.message };
    }
    throw new Error('the job was taken');
  };

  /** Checks that `call` fails in a block with the market's error `name` and costs its fee alone. */
  const failsInBlock = async (name, call, ...blob) => {
    const [before, jobs] = [await funds(api, submitter.address, await api.rpc.chain.getBlockHash()), await ids()];
    const { code, data } = await refused(call, ...blob);
    expectEqual('code', code, FAILED);
    expectEqual('error', data.error, `ComputeMarket.${name}`);
    const after = await funds(api, submitter.address, data.blockHash);
    expectEqual('paid', before.free - after.free, await feePaid(api, submitter.address, data.blockHash));
    expectEqual('held', after.held, before.held);
    expectEqual('jobs', await ids(), jobs);
    tell('refused', { error: data.error });
  };

  /** Checks that the node refuses `call` with `blob` before it is a transaction. */
  const failsAtNode = async (expected, call, blob) => {
    const before = await funds(api, submitter.address, await api.rpc.chain.getBlockHash());
    const { code, message } = await refused(call, blob);
    expectEqual('code', code, expected);
    const after = await funds(api, submitter.address, await api.rpc.chain.getBlockHash());
    expectEqual('free', after.free, before.free);
    expectEqual('held', after.held, before.held);
    tell('refused', { error: message });
  };

  const submit = (change, maxFee = enough) => api.tx.computeMarket.submit({ ...spec, ...change }, maxFee);

  await failsInBlock('UnknownArtifact', submit({ artifact: 4_000_000_000 }), hex);
  await failsInBlock('PriceLimitTooLow', submit({}, 1n), hex);
  const limit = api.consts.computeMarket.maxInputSize.toNumber();
  await failsInBlock('InputTooLarge', submit({ input: { hash: hash(input), size: limit + 1 } }));
  const large = Buffer.alloc(limit + 1);
  await failsAtNode(INPUT_TOO_LARGE, submit({ input: { hash: hash(large), size: large.length } }), `0x${large.toString('hex')}`);
  await failsInBlock('InvalidTokens', submit({ sequences: 0 }), hex);
  await failsAtNode(INPUT_MISMATCH, submit({}), `0x${encodeTokens([[101, 103]]).toString('hex')}`);

  try {
    await send(api, api.tx.computeMarket.cancel(4_000_000_000), submitter);
    throw new Error('a job that there is not was cancelled');
  } catch (error) {
    expectEqual('error', error.name, 'UnknownJob');
  }
  tell('done');
});
