// Talks to a node with @polkadot/api, as any wallet or explorer would.

import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';

/** The node's methods beside Substrate's own, as @polkadot/api wants them described. */
export const rpc = {
  compute: {
    submitJob: {
      description: 'Stores the input, submits the signed call, returns the id of the job',
      params: [
        { name: 'extrinsic', type: 'Bytes' },
        { name: 'input', type: 'Bytes', isOptional: true },
      ],
      type: 'u64',
    },
    job: {
      description: 'The job, while there is a record of it',
      params: [{ name: 'id', type: 'u64' }],
      type: 'Json',
    },
    estimate: {
      description: 'What a job would cost now, who could take it, and why others could not',
      params: [
        { name: 'spec', type: 'Json' },
        { name: 'maxFee', type: 'Json', isOptional: true },
      ],
      type: 'Json',
    },
    workers: {
      description: 'All workers, or those that have the model ready',
      params: [{ name: 'artifact', type: 'u32', isOptional: true }],
      type: 'Vec<Json>',
    },
    subscribeJob: {
      description: 'The job as it is, and every change to it',
      params: [{ name: 'id', type: 'u64' }],
      pubsub: ['job', 'subscribeJob', 'unsubscribeJob'],
      type: 'Json',
    },
  },
};

/** Lines that @polkadot/api wrote as warnings or errors. */
export const warnings = [];

for (const level of ['warn', 'error']) {
  const write = console[level].bind(console);
  console[level] = (...words) => {
    warnings.push(words.join(' '));
    write(...words);
  };
}

/** Connects; what the library warns of is in `warnings` from then on. */
export async function connect(url) {
  const provider = new WsProvider(url);
  return ApiPromise.create({ provider, rpc, throwOnConnect: true });
}

/** The key of a secret URI such as `//Alice`. */
export function key(uri) {
  return new Keyring({ type: 'sr25519', ss58Format: 42 }).addFromUri(uri);
}

/** An error of a pallet, by the name that its metadata gives, and the block of the call that failed by it. */
export class DispatchError extends Error {}

function named(api, error) {
  if (!error.isModule) {
    return new DispatchError(error.toString());
  }
  const { section, name, docs } = api.registry.findMetaError(error.asModule);
  return Object.assign(new DispatchError(`${api.tx[section] ? pallet(section) : section}.${name}: ${docs.join(' ')}`), {
    pallet: pallet(section),
    name,
  });
}

const pallet = (section) => section[0].toUpperCase() + section.slice(1);

/**
 * Signs and submits a call; resolves with its block and events once it is in one. Rejects if it failed, with a
 * `DispatchError` that has the block too.
 */
export function send(api, call, pair, options = {}) {
  return new Promise((resolve, reject) => {
    let stop = () => {};
    call
      .signAndSend(pair, options, ({ status, events, dispatchError, isError }) => {
        if (dispatchError) {
          stop();
          reject(Object.assign(named(api, dispatchError), { block: (status.isFinalized ? status.asFinalized : status.asInBlock).toHex() }));
        } else if (isError) {
          stop();
          reject(new Error(`the transaction was not included: ${status.type}`));
        } else if (status.isInBlock) {
          stop();
          resolve({ block: status.asInBlock.toHex(), events: events.map(({ event }) => event) });
        }
      })
      .then((unsubscribe) => {
        stop = unsubscribe;
      }, reject);
  });
}

/** Free and held money of an account at a block. */
export async function funds(api, account, block) {
  const { data } = await (await api.at(block)).query.system.account(account);
  return { free: data.free.toBigInt(), held: data.reserved.toBigInt(), all: data.free.toBigInt() + data.reserved.toBigInt() };
}

/** The block before `block`. */
export async function parent(api, block) {
  return (await api.rpc.chain.getHeader(block)).parentHash.toHex();
}

/** What the transaction that `account` paid for in `block` cost it. */
export async function feePaid(api, account, block) {
  const events = await (await api.at(block)).query.system.events();
  const paid = events
    .map(({ event }) => event)
    .filter((event) => api.events.transactionPayment.TransactionFeePaid.is(event))
    .filter((event) => event.data.who.eq(account))
    .map((event) => event.data.actualFee.toBigInt() + event.data.tip.toBigInt());
  if (paid.length !== 1) {
    throw new Error(`expected one transaction of ${account} in ${block}, got ${paid.length}`);
  }
  return paid[0];
}

/** Phases in which nothing more happens to a job. */
export const ENDED = ['settled', 'failed', 'cancelled', 'expired'];

/** Waits for the best chain to grow by `count` blocks. */
export function blocks(api, count) {
  return new Promise((resolve, reject) => {
    let left = count + 1;
    let stop = () => {};
    api.rpc.chain
      .subscribeNewHeads(() => {
        left -= 1;
        if (left === 0) {
          stop();
          resolve();
        }
      })
      .then((unsubscribe) => {
        stop = unsubscribe;
      }, reject);
  });
}
