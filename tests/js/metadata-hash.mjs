// Signs with the hash of the metadata, as offline signers do that show what they sign: the chain takes the right one and
// refuses another.
//
// Task: url, key.

import { merkleizeMetadata } from '@polkadot-api/merkleize-metadata';
import { connect, key, send } from './lib/chain.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

/** `CheckMetadataHash` with the hash in what is signed. */
const ENABLED = 1;

/** What the pool answers for a signature that does not fit what the chain would have signed. */
const INVALID_TRANSACTION = 1010;

run(async ({ url, key: uri }) => {
  const api = await connect(url);
  const signer = key(uri);
  const properties = await api.rpc.system.properties();
  const metadata = await api.call.metadata.metadataAtVersion(15);
  const { digest } = merkleizeMetadata(metadata.unwrap(), {
    decimals: properties.tokenDecimals.unwrap()[0].toNumber(),
    tokenSymbol: properties.tokenSymbol.unwrap()[0].toString(),
  });
  const hash = `0x${Buffer.from(digest()).toString('hex')}`;
  tell('hash', { hash });

  const remark = () => api.tx.system.remarkWithEvent('signed with the hash of the metadata');
  const { events } = await send(api, remark(), signer, { mode: ENABLED, metadataHash: hash });
  expectEqual('remarks', events.filter((event) => api.events.system.Remarked.is(event)).length, 1);

  const wrong = `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}`;
  let refusal;
  try {
    await send(api, remark(), signer, { mode: ENABLED, metadataHash: wrong });
  } catch (error) {
    refusal = error;
  }
  expectEqual('code of the refusal of a wrong hash', refusal?.code, INVALID_TRANSACTION);
  tell('done', { refusal: refusal.message });
});
