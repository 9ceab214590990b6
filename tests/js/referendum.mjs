// Submits a referendum that changes a parameter of the market, and votes on it.
//
// Task: url, proposer, ayes, nays (secret URIs; the last aye decides), wait (whether to see it carried out).

import { blocks, connect, key, send } from './lib/chain.mjs';
import { expectEqual, run, tell } from './lib/report.mjs';

const ASY = 10n ** 12n;

/**
 * What voters vote with, of the 10,000,000 ASY that each of twelve accounts has. A vote takes a block and more, and on a
 * development chain a referendum that has enough support passes a few blocks later. So the first votes must not be enough,
 * though less support suffices with every block: four ayes of this are a fifth of all tokens, where a quarter
 * is asked for in the beginning and a fifth more than a minute later.
 */
const STAKE = 6_000_000n * ASY;

/** What the last aye votes with, which makes the support more than a quarter. */
const DECIDING_STAKE = 9_000_000n * ASY;

/** What the referendum sets the challenge window to, in blocks. */
const CHALLENGE_PERIOD = 5;

run(async ({ url, proposer, ayes, nays = [], wait = false }) => {
  const api = await connect(url);

  // begin quote: propose
  const proposal = api.tx.parameters.setParameter({ Market: { ChallengePeriod: [null, CHALLENGE_PERIOD] } });
  const { events } = await send(
    api,
    api.tx.utility.batchAll([
      api.tx.referenda.submit({ Origins: 'MarketAdmin' }, { Inline: proposal.method.toHex() }, { After: 1 }),
      api.tx.referenda.placeDecisionDeposit(await api.query.referenda.referendumCount()),
    ]),
    key(proposer),
  );
  const index = events.find((event) => api.events.referenda.Submitted.is(event)).data[0].toNumber();
  // end quote
  const track = await trackName(api, index);
  tell('submitted', { index, track, call: `parameters.setParameter(Market::ChallengePeriod = ${CHALLENGE_PERIOD} blocks)` });

  // begin quote: vote
  const vote = (aye, balance) => ({ Standard: { vote: { aye, conviction: 'Locked1x' }, balance } });
  const cast = (voter, aye, balance) => send(api, api.tx.convictionVoting.vote(index, vote(aye, balance)), key(voter));
  // end quote

  await Promise.all(nays.map((voter) => cast(voter, false, STAKE)));
  const deciding = ayes.at(-1);
  await Promise.all(ayes.slice(0, -1).map((voter) => cast(voter, true, STAKE)));
  const { block } = await cast(deciding, true, DECIDING_STAKE);

  const { tally } = await ongoing(await api.at(block), index);
  expectEqual('ayes', tally.ayes.toBigInt(), STAKE * BigInt(ayes.length - 1) + DECIDING_STAKE);
  expectEqual('nays', tally.nays.toBigInt(), STAKE * BigInt(nays.length));
  const issuance = (await (await api.at(block)).query.balances.totalIssuance()).toBigInt();
  tell('voted', {
    index,
    ayes: tally.ayes.toBigInt() / ASY,
    nays: tally.nays.toBigInt() / ASY,
    support: `${(Number((tally.support.toBigInt() * 10_000n) / issuance) / 100).toFixed(2)} %`,
  });

  if (wait) {
    await carriedOut(api, index);
    tell('carriedOut', { index, challengePeriod: CHALLENGE_PERIOD });
  }
  tell('done');
});

async function ongoing(api, index) {
  return (await api.query.referenda.referendumInfoFor(index)).unwrap().asOngoing;
}

async function trackName(api, index) {
  const id = (await ongoing(api, index)).track;
  const [, track] = api.consts.referenda.tracks.find(([known]) => known.eq(id));
  return track.name.toHuman().replace(/\0/g, '');
}

/** Waits until the referendum is approved and what it proposes has happened. */
async function carriedOut(api, index) {
  for (;;) {
    const info = (await api.query.referenda.referendumInfoFor(index)).unwrap();
    if (!info.isOngoing && !info.isApproved) {
      throw new Error(`the referendum ended as ${info.type}`);
    }
    const key = { Market: { ChallengePeriod: null } };
    const value = await api.query.parameters.parameters(key);
    if (info.isApproved && value.isSome && value.unwrap().asMarket.asChallengePeriod.toNumber() === CHALLENGE_PERIOD) {
      return;
    }
    await blocks(api, 1);
  }
}
