//! What transactions cost, and who gets it.

use super::chain::{account, genesis, sign, Chain};
use crate::{
    configs::money::TreasuryAccount,
    constants::currency::{ASY, MILLI_ASY},
    Balance, Balances, RuntimeCall, TransactionPayment,
};
use codec::Encode;
use frame_support::traits::fungible::Inspect;
use sp_keyring::Sr25519Keyring;

fn transfer() -> RuntimeCall {
    let dest = account(Sr25519Keyring::Bob).into();
    pallet_balances::Call::transfer_keep_alive { dest, value: ASY }.into()
}

fn fee(call: RuntimeCall) -> Balance {
    let extrinsic = sign(Sr25519Keyring::Alice, call);
    let length = extrinsic.encoded_size() as u32;
    TransactionPayment::query_info(extrinsic, length).partial_fee
}

#[test]
fn transfer_should_cost_some_thousandths_of_a_token() {
    genesis("development").execute_with(|| {
        let fee = fee(transfer());
        assert!((MILLI_ASY..=10 * MILLI_ASY).contains(&fee), "{fee} plancks");
    });
}

#[test]
fn bytes_should_cost_when_a_transaction_carries_many() {
    genesis("development").execute_with(|| {
        let fee = fee(frame_system::Call::remark {
            remark: vec![0; 128 * 1024],
        }
        .into());
        assert!((ASY..=2 * ASY).contains(&fee), "{fee} plancks");
    });
}

#[test]
fn fee_should_go_to_treasury_and_author_without_loss() {
    let mut chain = Chain::development();
    chain.block(vec![]);
    let balances = || {
        let sender = account(Sr25519Keyring::Charlie);
        [sender, TreasuryAccount::get(), account(Sr25519Keyring::AliceStash)].map(|who| Balances::total_balance(&who))
    };
    let before = chain.read(balances);
    let issuance = chain.read(Balances::total_issuance);
    chain.call(Sr25519Keyring::Charlie, transfer());
    let after = chain.read(balances);
    let paid = before[0] - after[0] - ASY;
    assert!(paid > 0);
    assert_eq!((after[1] - before[1]) + (after[2] - before[2]), paid);
    assert_eq!(after[1] - before[1], paid * 4 / 5);
    assert_eq!(chain.read(Balances::total_issuance), issuance);
}
