// Reads the chain and sends a transaction with polkadot-api, which refuses what it does not know.
//
// Task: url, key.

import { createClient } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';
import { Keyring } from '@polkadot/keyring';
import { WebSocket } from 'ws';
import { expectEqual, run, tell } from './lib/report.mjs';

const warnings = [];
for (const level of ['warn', 'error']) {
  const write = console[level].bind(console);
  console[level] = (...words) => {
    warnings.push(words.join(' '));
    write(...words);
  };
}

run(async ({ url, key: uri }) => {
  // Node.js before 22 has no WebSocket of its own
  const client = createClient(getWsProvider(url, { websocketClass: WebSocket }));
  const api = client.getUnsafeApi();
  const pair = new Keyring({ type: 'sr25519', ss58Format: 42 }).addFromUri(uri);

  const finalized = await client.getFinalizedBlock();
  const { name } = await client.getChainSpecData();
  const account = await api.query.System.Account.getValue(pair.address);
  const workers = await api.apis.ComputeApi.workers(undefined);
  tell('read', { name, finalized: finalized.number, free: account.data.free, workers: workers.length });

  const signer = getPolkadotSigner(pair.publicKey, 'Sr25519', (message) => pair.sign(message));
  const remark = api.tx.System.remark_with_event({ remark: new TextEncoder().encode('signed by polkadot-api') });
  const { ok } = await remark.signAndSubmit(signer);
  expectEqual('ok', ok, true);
  expectEqual('warnings', warnings.join('; '), '');
  client.destroy();
  tell('done');
});
