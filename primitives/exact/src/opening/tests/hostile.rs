//! Openings that somebody has tampered with: refused, whatever was changed, and never a panic.

use super::*;
use codec::Decode;

/// Blob, its digest and an opening with two runs, of which the last one is short.
fn example(mode: &HashMode) -> (Vec<u8>, Digest, Opening) {
    let blob = blob(9 * 1_024 + 100);
    let opening = Opening::create(&blob, &[2_048..3_000, 9_300..9_310], mode).unwrap();
    let root = digest(&blob, mode);
    (blob, root, opening)
}

/// All ways to flip one bit.
fn flips(bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    (0..bytes).flat_map(|byte| (0..8).map(move |bit| (byte, 1 << bit)))
}

#[test]
fn opening_should_be_refused_when_any_bit_of_bytes_siblings_root_or_key_is_flipped() {
    let (blob, root, opening) = example(&KEYED);
    let length = blob.len() as u64;
    assert!(opening.verify(&root, length, &KEYED).is_ok());
    for (byte, bit) in flips(opening.bytes.len()) {
        let mut opening = opening.clone();
        opening.bytes[byte] ^= bit;
        assert!(matches!(
            opening.verify(&root, length, &KEYED),
            Err(OpeningError::Root { .. })
        ));
    }
    for (byte, bit) in flips(32) {
        for sibling in 0..opening.siblings.len() {
            let mut opening = opening.clone();
            opening.siblings[sibling][byte] ^= bit;
            assert!(matches!(
                opening.verify(&root, length, &KEYED),
                Err(OpeningError::Root { .. })
            ));
        }
        let mut other = root;
        other.0[byte] ^= bit;
        assert!(matches!(
            opening.verify(&other, length, &KEYED),
            Err(OpeningError::Root { .. })
        ));
        let mut key = [7; 32];
        key[byte] ^= bit;
        assert!(matches!(
            opening.verify(&root, length, &HashMode::Keyed(key)),
            Err(OpeningError::Root { .. })
        ));
    }
    assert!(opening.verify(&root, length, &HashMode::Plain).is_err());
}

#[test]
fn opening_should_be_refused_when_any_bit_of_its_encoding_is_flipped() {
    let (blob, root, opening) = example(&HashMode::Plain);
    let encoded = opening.encode();
    for (byte, bit) in flips(encoded.len()) {
        let mut encoded = encoded.clone();
        encoded[byte] ^= bit;
        let verified = Opening::decode_all(&mut &encoded[..])
            .is_ok_and(|opening| opening.verify(&root, blob.len() as u64, &HashMode::Plain).is_ok());
        assert!(!verified, "byte {byte}, bit {bit}");
    }
}

#[test]
fn opening_should_be_refused_when_its_encoding_is_truncated_or_goes_on() {
    let (_, _, opening) = example(&HashMode::Plain);
    let mut encoded = opening.encode();
    for length in 0..encoded.len() {
        assert!(Opening::decode_all(&mut &encoded[..length]).is_err());
    }
    encoded.push(0);
    assert!(Opening::decode_all(&mut &encoded[..]).is_err());
}

#[test]
fn opening_should_be_refused_when_a_number_in_its_encoding_is_longer_than_need_be() {
    let opening = Opening::create(b"a", &[0..1], &HashMode::Plain).unwrap();
    // One run of one chunk from 0; one byte; no sibling
    assert_eq!(opening.encode(), [4, 0, 4, 4, b'a', 0]);
    for at in [0, 2, 3] {
        let mut encoded = opening.encode();
        encoded.splice(at..at + 1, [0b101, 0]);
        assert!(Opening::decode_all(&mut &encoded[..]).is_err());
    }
}

#[test]
fn opening_should_be_refused_when_its_encoding_announces_too_much() {
    let announce = |runs: u32, bytes: u32, siblings: u32| {
        let mut encoded = codec::Compact(runs).encode();
        encoded.extend((0..runs).flat_map(|run| [(run as u8).wrapping_mul(4), 4]));
        encoded.extend(codec::Compact(bytes).encode());
        encoded.resize(encoded.len() + bytes as usize, 0);
        encoded.extend(codec::Compact(siblings).encode());
        encoded.resize(encoded.len() + siblings as usize * 32, 0);
        Opening::decode_all(&mut &encoded[..])
    };
    assert!(announce(64, 65_536, 1_024).is_ok());
    assert!(announce(65, 1, 1).is_err());
    assert!(announce(1, 65_537, 1).is_err());
    assert!(announce(1, 1, 1_025).is_err());
    // Refused by the number alone
    assert!(Opening::decode(&mut &[0, 3, 255, 255, 255, 255][..]).is_err());
}

#[test]
fn opening_should_be_refused_when_runs_are_not_in_canonical_form() {
    let (blob, root, opening) = example(&HashMode::Plain);
    let length = blob.len() as u64;
    let refused = |runs: &[(u64, u64)]| {
        let runs = runs.iter().map(|(first, count)| ChunkRun {
            first: *first,
            count: *count,
        });
        let opening = Opening {
            runs: runs.collect(),
            ..opening.clone()
        };
        opening.verify(&root, length, &HashMode::Plain).unwrap_err()
    };
    assert_eq!(refused(&[]), OpeningError::Nothing);
    assert_eq!(refused(&[(9, 1), (2, 1)]), OpeningError::Order { run: 1 });
    assert_eq!(refused(&[(2, 1), (2, 1), (9, 1)]), OpeningError::Order { run: 1 });
    assert_eq!(refused(&[(2, 1), (3, 1), (9, 1)]), OpeningError::Order { run: 1 });
    assert_eq!(refused(&[(2, 1), (5, 0), (9, 1)]), OpeningError::Order { run: 1 });
    assert_eq!(refused(&[(2, 1), (9, 2)]), OpeningError::Outside { run: 1, chunks: 10 });
    assert_eq!(
        refused(&[(2, 1), (9, u64::MAX)]),
        OpeningError::Outside { run: 1, chunks: 10 }
    );
    assert_eq!(
        refused(&[(u64::MAX, u64::MAX)]),
        OpeningError::Outside { run: 0, chunks: 10 }
    );
    let (expected, got) = (1_024 + 1_024, 1_024 + 100);
    assert_eq!(refused(&[(2, 1), (8, 1)]), OpeningError::Bytes { expected, got });
    assert!(matches!(refused(&[(3, 1), (9, 1)]), OpeningError::Root { .. }));
}

#[test]
fn opening_should_be_refused_when_there_is_more_or_less_than_needed() {
    let (blob, root, opening) = example(&HashMode::Plain);
    let length = blob.len() as u64;
    let refused = |change: &dyn Fn(&mut Opening)| {
        let mut opening = opening.clone();
        change(&mut opening);
        opening.verify(&root, length, &HashMode::Plain).unwrap_err()
    };
    let bytes = |got| OpeningError::Bytes { expected: 1_124, got };
    assert_eq!(refused(&|opening| opening.bytes.push(0)), bytes(1_125));
    assert_eq!(refused(&|opening| opening.bytes.truncate(1_123)), bytes(1_123));
    // Chunks 0 and 1, 3, 4 to 7, 8
    let siblings = |got| OpeningError::Siblings { expected: 4, got };
    assert_eq!(refused(&|opening| opening.siblings.push([0; 32])), siblings(5));
    assert_eq!(refused(&|opening| opening.siblings.truncate(3)), siblings(3));
    assert_eq!(refused(&|opening| opening.siblings.clear()), siblings(0));
    assert!(matches!(
        refused(&|opening| opening.siblings.swap(0, 1)),
        OpeningError::Root { .. }
    ));
}

#[test]
fn chunk_should_not_pass_for_a_node_nor_a_node_for_a_chunk() {
    // Two chaining values are 64 bytes that hash like a chunk, but for the flags
    let blob = blob(2_048);
    let values: Vec<u8> = [0, 1]
        .iter()
        .flat_map(|chunk| HashMode::Plain.chaining_value(*chunk, &blob[*chunk as usize * 1_024..][..1_024]))
        .collect();
    let opening = Opening::create(&values, &[0..64], &HashMode::Plain).unwrap();
    assert!(opening
        .verify(&digest(&blob, &HashMode::Plain), 64, &HashMode::Plain)
        .is_err());
}

#[test]
fn wrong_length_should_be_refused_when_the_last_chunk_is_opened() {
    for mode in [HashMode::Plain, KEYED] {
        let (blob, root, opening) = example(&mode);
        for length in (0..40_000).filter(|length| *length != blob.len() as u64) {
            assert!(opening.verify(&root, length, &mode).is_err(), "{length}");
        }
    }
}

#[test]
fn wrong_length_may_pass_when_the_tree_has_the_same_form_up_to_the_opened_chunks() {
    let blob = blob(4 * 1_024);
    let root = digest(&blob, &HashMode::Plain);
    let opening = Opening::create(&blob, &[0..10], &HashMode::Plain).unwrap();
    let opened = opening.verify(&root, 3 * 1_024, &HashMode::Plain).unwrap();
    assert_eq!(opened.read(0..10), Ok(&blob[..10]));
    // Never with more levels or fewer
    assert!(opening.verify(&root, 5 * 1_024, &HashMode::Plain).is_err());
    assert!(opening.verify(&root, 2 * 1_024, &HashMode::Plain).is_err());
}

proptest! {
    #[test]
    fn bytes_should_be_those_of_the_blob_when_a_wrong_length_passes(
        (blob, ranges) in blob_and_ranges(),
        other in 0..220 * 1_024u64,
    ) {
        let opening = Opening::create(&blob, &ranges, &HashMode::Plain).unwrap();
        if opening.verify(&digest(&blob, &HashMode::Plain), other, &HashMode::Plain).is_ok() {
            let mut shown = opening.bytes();
            for run in opening.runs() {
                let start = (run.first * CHUNK_LEN) as usize;
                let own = (run.count * CHUNK_LEN).min(other - run.first * CHUNK_LEN) as usize;
                prop_assert_eq!(&shown[..own], &blob[start..start + own]);
                shown = &shown[own..];
            }
        }
    }

    #[test]
    fn flips_should_be_refused_in_any_opening(
        (blob, ranges) in blob_and_ranges(),
        flipped: proptest::sample::Index,
        bit in 0..8u8,
    ) {
        let root = digest(&blob, &HashMode::Plain);
        let mut encoded = Opening::create(&blob, &ranges, &HashMode::Plain).unwrap().encode();
        let at = flipped.index(encoded.len());
        encoded[at] ^= 1 << bit;
        let verified = Opening::decode_all(&mut &encoded[..])
            .is_ok_and(|opening| opening.verify(&root, blob.len() as u64, &HashMode::Plain).is_ok());
        prop_assert!(!verified);
    }

    #[test]
    fn random_bytes_should_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), length: u64) {
        if let Ok(opening) = Opening::decode(&mut &bytes[..]) {
            prop_assert!(opening.verify(&Digest::default(), length, &HashMode::Plain).is_err());
        }
    }

    #[test]
    fn random_openings_should_never_panic(
        runs in proptest::collection::vec((edge(), edge()), 0..5),
        bytes in 0..5_000usize,
        siblings in 0..60usize,
        length in edge(),
    ) {
        let runs: Vec<_> = runs.into_iter().map(|(first, count)| ChunkRun { first, count }).collect();
        let opening = Opening { runs, bytes: vec![1; bytes], siblings: vec![[2; 32]; siblings] };
        prop_assert!(opening.verify(&Digest::default(), length, &HashMode::Plain).is_err());
        if let Some(opening) = fit(opening, length) {
            // Of the right form, so that it comes to the hashing
            let verified = opening.verify(&Digest::default(), length, &HashMode::Plain);
            prop_assert!(matches!(verified, Err(OpeningError::Root { .. })), "{:?}", verified);
        }
    }
}

/// Small numbers, any, and those at the end of the range.
fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..6u64,
        0..6_000u64,
        any::<u64>(),
        (0..2_000u64).prop_map(|less| u64::MAX - less),
        Just(1 << 54)
    ]
}

/// With as many bytes and siblings as there should be, if the runs are in order.
fn fit(mut opening: Opening, length: u64) -> Option<Opening> {
    loop {
        match opening.verify(&Digest::default(), length, &HashMode::Plain) {
            Err(OpeningError::Bytes { expected, .. }) if expected < 1 << 20 => {
                opening.bytes.resize(expected as usize, 3)
            }
            Err(OpeningError::Siblings { expected, .. }) => opening.siblings.resize(expected as usize, [4; 32]),
            Err(OpeningError::Root { .. }) => return Some(opening),
            _ => return None,
        }
    }
}
