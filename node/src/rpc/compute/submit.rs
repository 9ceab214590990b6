//! The parts of `compute_submitJob` that need neither pool nor runtime.

use super::error::{Error, Waiting};
use assay_blobs::BlobId;
use assay_runtime::Hash;
use assay_types::BlobRef;
use futures::{Stream, StreamExt};
use sc_transaction_pool_api::TransactionStatus;
use std::{pin::pin, time::Duration};

/// How long a submission is waited for: 15 slots, and short of the minute after which common
/// clients give up on an answer.
pub(super) const INCLUSION_LIMIT: Duration = Duration::from_secs(45);

/// Checks that `input` is the blob that the job names.
pub(super) fn check_input(expected: &BlobRef, input: &[u8]) -> Result<(), Error> {
    let expected = BlobId::new(expected.hash.0, expected.size);
    let got = BlobId::of(input);
    if got == expected {
        Ok(())
    } else {
        Err(Error::InputMismatch { expected, got })
    }
}

/// Waits until the transaction is in the best chain; returns where.
///
/// `statuses` are what the pool says of it, `new_best` yields at each new best block, `is_canonical`
/// says whether a block is part of the best chain.
pub(super) async fn inclusion(
    transaction: Hash,
    statuses: impl Stream<Item = TransactionStatus<Hash, Hash>>,
    new_best: impl Stream<Item = ()>,
    is_canonical: impl Fn(Hash) -> Result<bool, Error>,
    limit: Duration,
) -> Result<(Hash, u32), Error> {
    let mut statuses = pin!(statuses.fuse());
    let mut new_best = pin!(new_best.fuse());
    let mut deadline = pin!(tokio::time::sleep(limit));
    let mut included = None;
    let mut waiting = Waiting::Pool;
    loop {
        if let Some((block, index)) = included {
            if is_canonical(block)? {
                return Ok((block, index));
            }
        }
        tokio::select! {
            Some(status) = statuses.next() => match status {
                TransactionStatus::InBlock((block, index)) | TransactionStatus::Finalized((block, index)) => {
                    // The pool counts in usize, the chain in u32; a block has far fewer.
                    included = u32::try_from(index).ok().map(|index| (block, index));
                    waiting = Waiting::Fork;
                }
                TransactionStatus::Retracted(block) => {
                    if included.is_some_and(|(included, _)| included == block) {
                        included = None;
                        waiting = Waiting::Block;
                    }
                }
                TransactionStatus::Future => waiting = Waiting::Nonces,
                TransactionStatus::Ready | TransactionStatus::Broadcast(_) => waiting = Waiting::Block,
                // Said long after inclusion only.
                TransactionStatus::FinalityTimeout(_) => {}
                TransactionStatus::Usurped(by) => return Err(Error::Usurped { by }),
                TransactionStatus::Dropped => return Err(Error::Dropped),
                TransactionStatus::Invalid => return Err(Error::Invalid),
            },
            Some(()) = new_best.next() => {}
            () = &mut deadline => {
                return Err(Error::Timeout { seconds: limit.as_secs(), waiting, extrinsic: transaction });
            }
        }
    }
}

/// Whether the input is of no use after `error`. That is where there will be no job; and where the
/// job waits for transactions that nobody has seen, as these cost nothing and must not fill the disk.
pub(super) fn frees_input(error: &Error) -> bool {
    match error {
        Error::Invalid | Error::Usurped { .. } | Error::Dropped | Error::Failed { .. } => true,
        Error::Timeout { waiting, .. } => *waiting == Waiting::Nonces,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use futures::stream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Status = TransactionStatus<Hash, Hash>;

    const A: Hash = Hash::repeat_byte(1);
    const B: Hash = Hash::repeat_byte(2);
    const SHORT: Duration = Duration::from_millis(50);

    /// Waits with these statuses, after which the pool says nothing more, in a chain of `canonical`.
    async fn wait(statuses: Vec<Status>, canonical: &[Hash]) -> Result<(Hash, u32), Error> {
        let statuses = stream::iter(statuses).chain(stream::pending());
        inclusion(
            Hash::zero(),
            statuses,
            stream::pending(),
            |block| Ok(canonical.contains(&block)),
            SHORT,
        )
        .await
    }

    fn blob(content: &[u8]) -> BlobRef {
        let id = BlobId::of(content);
        BlobRef {
            hash: Hash::from(id.hash.0),
            size: id.size,
        }
    }

    #[test]
    fn input_should_be_taken_when_hash_and_length_are_right() {
        assert!(check_input(&blob(b"input"), b"input").is_ok());
    }

    #[test]
    fn input_should_be_refused_with_both_ids_when_it_is_another() {
        let wrong_size = BlobRef {
            size: 6,
            ..blob(b"input")
        };
        for expected in [blob(b"other"), wrong_size] {
            let error = check_input(&expected, b"input").unwrap_err();
            assert!(
                matches!(error, Error::InputMismatch { expected: e, got } if e.size == expected.size
                    && got == BlobId::of(b"input")),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn inclusion_should_be_found_when_in_a_best_block() {
        let statuses = vec![Status::Ready, Status::Broadcast(vec![]), Status::InBlock((A, 3))];
        assert_eq!(wait(statuses, &[A]).await.unwrap(), (A, 3));
    }

    #[tokio::test]
    async fn inclusion_should_be_that_of_the_new_block_when_the_first_is_retracted() {
        let statuses = vec![Status::InBlock((B, 1)), Status::Retracted(B), Status::InBlock((A, 3))];
        assert_eq!(wait(statuses, &[A]).await.unwrap(), (A, 3));
    }

    #[tokio::test]
    async fn inclusion_should_wait_until_the_block_is_in_the_best_chain() {
        let asked = AtomicUsize::new(0);
        let is_canonical = |_| Ok(asked.fetch_add(1, Ordering::Relaxed) == 2);
        let statuses = stream::iter([Status::InBlock((A, 0))]);
        let blocks = stream::repeat(());
        assert_eq!(
            inclusion(Hash::zero(), statuses, blocks, is_canonical, SHORT)
                .await
                .unwrap(),
            (A, 0)
        );
    }

    #[tokio::test]
    async fn inclusion_should_fail_when_the_pool_gives_up() {
        assert!(matches!(
            wait(vec![Status::Ready, Status::Invalid], &[]).await,
            Err(Error::Invalid)
        ));
        assert!(matches!(wait(vec![Status::Dropped], &[]).await, Err(Error::Dropped)));
        assert!(matches!(wait(vec![Status::Usurped(B)], &[]).await, Err(Error::Usurped { by }) if by == B));
    }

    #[tokio::test]
    async fn inclusion_should_say_what_it_waited_for_when_it_takes_too_long() {
        for (status, expected, frees) in [
            (Status::Ready, Waiting::Block, false),
            (Status::Future, Waiting::Nonces, true),
            (Status::InBlock((B, 0)), Waiting::Fork, false),
        ] {
            let error = wait(vec![status], &[A]).await.unwrap_err();
            assert!(
                matches!(error, Error::Timeout { waiting, .. } if waiting == expected),
                "{error}"
            );
            assert_eq!(frees_input(&error), frees);
        }
    }

    #[tokio::test]
    async fn inclusion_should_time_out_when_all_streams_end() {
        let ended = inclusion(Hash::zero(), stream::empty(), stream::empty(), |_| Ok(true), SHORT).await;
        assert!(matches!(ended, Err(Error::Timeout { .. })));
    }
}
