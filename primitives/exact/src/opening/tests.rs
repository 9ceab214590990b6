//! Openings against BLAKE3 itself, and what blobs the other tests use.

#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod golden;
mod hostile;
mod subtrees;
mod tree;

use super::{shape::Node, *};
use crate::tensor::{DType, Missing, Source};
use codec::{DecodeAll, Encode};
use core::ops::Range;
use proptest::prelude::*;

const KEYED: HashMode = HashMode::Keyed([7; 32]);

/// Lengths at which the tree changes its form.
const LENGTHS: [usize; 18] = [
    0,
    1,
    1_023,
    1_024,
    1_025,
    2_047,
    2_048,
    2_049,
    3_072,
    4_097,
    16_383,
    16_384,
    16_385,
    32_769,
    65_536,
    65_537,
    100_000,
    200 * 1_024,
];

/// A blob whose chunks all differ.
fn blob(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn mode() -> impl Strategy<Value = HashMode> {
    prop_oneof![Just(HashMode::Plain), Just(KEYED)]
}

/// A blob of up to 200 KiB and ranges of it that hold a byte if it does, of no more than 60 KiB.
fn blob_and_ranges() -> impl Strategy<Value = (Vec<u8>, Vec<Range<u64>>)> {
    let length = prop_oneof![proptest::sample::select(&LENGTHS[..]), 0..200 * 1_024usize];
    let range = (any::<proptest::sample::Index>(), 0..10 * 1_024u64);
    (length, proptest::collection::vec(range, 1..6)).prop_map(|(length, ranges)| {
        let ranges = ranges
            .into_iter()
            .map(|(start, count)| {
                let start = if length == 0 { 0 } else { start.index(length) as u64 };
                start..(start + count).clamp((start + 1).min(length as u64), length as u64)
            })
            .collect();
        (blob(length), ranges)
    })
}

/// What BLAKE3 says by itself.
fn digest(blob: &[u8], mode: &HashMode) -> Digest {
    match mode {
        HashMode::Plain => blake3::hash(blob).into(),
        HashMode::Keyed(key) => blake3::keyed_hash(key, blob).into(),
    }
}

proptest! {
    #[test]
    fn opening_should_show_what_it_was_made_for((blob, ranges) in blob_and_ranges(), mode in mode()) {
        let opening = Opening::create(&blob, &ranges, &mode).unwrap();
        let length = blob.len() as u64;
        let opened = opening.verify(&digest(&blob, &mode), length, &mode).unwrap();
        for range in &ranges {
            prop_assert_eq!(opened.read(range.clone()).unwrap(), &blob[range.start as usize..range.end as usize]);
        }
        prop_assert!(opening.opens_exactly(&ranges, length));
        prop_assert_eq!(Opening::decode_all(&mut &opening.encode()[..]).unwrap(), opening);
    }

    #[test]
    fn opening_should_be_the_same_when_ranges_overlap_or_come_in_another_order(
        (blob, ranges) in blob_and_ranges(),
        mode in mode(),
    ) {
        let opening = Opening::create(&blob, &ranges, &mode).unwrap();
        let mut more = ranges.clone();
        more.reverse();
        more.extend(ranges.iter().map(|range| range.start..(range.start + range.end) / 2));
        more.push(0..0);
        prop_assert_eq!(Opening::create(&blob, &more, &mode).unwrap(), opening);
    }

    #[test]
    fn reads_should_be_refused_when_a_byte_is_not_opened((blob, ranges) in blob_and_ranges(), start: u64, count: u64) {
        let opening = Opening::create(&blob, &ranges, &HashMode::Plain).unwrap();
        let length = blob.len() as u64;
        let opened = opening.verify(&digest(&blob, &HashMode::Plain), length, &HashMode::Plain).unwrap();
        let start = start % (length + 1);
        let end = start + count % (length + 2 - start);
        let known = |byte: u64| opening.runs().iter().any(|run| (run.first..run.first + run.count).contains(&(byte / CHUNK_LEN)));
        let expected = if end > length {
            Err(OpeningError::End { end, length })
        } else if (start..end).all(known) {
            Ok(&blob[start as usize..end as usize])
        } else {
            Err(OpeningError::Closed { start, end })
        };
        prop_assert_eq!(opened.read(start..end), expected);
    }
}

#[test]
fn opening_should_hold_the_digest_of_the_blob_when_all_is_opened() {
    for length in LENGTHS.into_iter().filter(|length| *length <= 65_536) {
        let blob = blob(length);
        let opening = Opening::create(&blob, &[0..length as u64], &HashMode::Plain).unwrap();
        assert!(opening.siblings().is_empty());
        assert_eq!(opening.bytes(), blob);
        assert!(opening
            .verify(&blake3::hash(&blob).into(), length as u64, &HashMode::Plain)
            .is_ok());
    }
}

#[test]
fn opening_should_open_no_chunk_that_is_not_needed() {
    let blob = blob(8 * 1_024);
    let ranges = [1_023..1_025, 4_096..4_096, 5_120..6_144];
    let opening = Opening::create(&blob, &ranges, &HashMode::Plain).unwrap();
    assert_eq!(
        opening.runs(),
        [ChunkRun { first: 0, count: 2 }, ChunkRun { first: 5, count: 1 }]
    );
    // Chunks 2 and 3 together, chunk 4, chunks 6 and 7 together
    assert_eq!(opening.siblings().len(), 3);
    assert!(!opening.opens_exactly(&ranges[..1], 8 * 1_024));
}

#[test]
fn opening_should_not_be_made_when_ranges_are_outside_or_empty() {
    let create = |length, ranges: &[_]| Opening::create(&blob(length), ranges, &HashMode::Plain);
    let outside = CutError::Range {
        start: 3,
        end: 11,
        length: 10,
    };
    assert_eq!(create(10, &[0..1, 3..11]), Err(outside));
    let reversed = Range { start: 3, end: 2 };
    assert!(matches!(create(10, &[reversed]), Err(CutError::Range { .. })));
    assert_eq!(create(10, &[]), Err(CutError::Nothing));
    assert_eq!(create(10, &[4..4]), Err(CutError::Nothing));
}

#[test]
fn opening_should_not_be_made_when_it_could_not_be_decoded() {
    let large = blob(100 * 1_024);
    let most = Opening::create(&large, &[0..65_536], &HashMode::Plain).unwrap();
    assert!(Opening::decode_all(&mut &most.encode()[..]).is_ok());
    let more = Opening::create(&large, &[0..65_537], &HashMode::Plain);
    assert!(matches!(more, Err(CutError::TooLarge { chunks: 65, .. })));
}

#[test]
fn empty_blob_should_be_opened_as_one_empty_chunk() {
    let opening = Opening::create(&[], &[], &HashMode::Plain).unwrap();
    assert_eq!(opening.runs(), [ChunkRun { first: 0, count: 1 }]);
    let root = blake3::hash(&[]).into();
    let opened = opening.verify(&root, 0, &HashMode::Plain).unwrap();
    assert_eq!(opened.read(0..0), Ok(&[][..]));
    assert!(opened.read(0..1).is_err());
    assert!(opening.verify(&root, 1, &HashMode::Plain).is_err());
}

#[test]
fn elements_should_be_read_little_endian() {
    let floats = [1.5f32, -2.25, f32::MAX, 0.0];
    let mut blob = crate::tensor::to_bytes(&vec![1.0f32; 1_022]);
    blob.extend(crate::tensor::to_bytes(&floats));
    let root = digest(&blob, &HashMode::Plain);
    let length = blob.len() as u64;
    let opening = Opening::create(&blob, &[4_088..4_104], &HashMode::Plain).unwrap();
    let opened = opening.verify(&root, length, &HashMode::Plain).unwrap();
    // Across the border of two chunks
    assert_eq!(opened.elements::<f32>(1_022..1_026).unwrap(), floats);
    assert_eq!(opened.element::<u32>(1_022).unwrap(), 1.5f32.to_bits());
    assert_eq!(
        opened.element::<i8>(4_088 + 7).unwrap(),
        (-2.25f32).to_le_bytes()[3] as i8
    );
    assert_eq!(opened.element::<i16>(2_044 + 1).unwrap(), 0x3fc0);
    assert_eq!(opened.elements::<u32>(5..5).unwrap(), []);
    assert_eq!(opened.length(), length);
}

#[test]
fn elements_should_be_refused_when_they_are_not_there() {
    let blob = blob(4_096);
    let opening = Opening::create(&blob, &[1_024..2_048], &HashMode::Plain).unwrap();
    let opened = opening
        .verify(&digest(&blob, &HashMode::Plain), 4_096, &HashMode::Plain)
        .unwrap();
    assert!(opened.element::<u32>(256).is_ok());
    assert!(matches!(opened.element::<u32>(255), Err(OpeningError::Closed { .. })));
    assert!(matches!(opened.element::<u32>(512), Err(OpeningError::Closed { .. })));
    assert!(matches!(
        opened.element::<u32>(1_024),
        Err(OpeningError::End { end: 4_100, .. })
    ));
    for index in [u64::MAX / 4, u64::MAX - 1, u64::MAX] {
        assert!(matches!(opened.element::<u32>(index), Err(OpeningError::End { .. })));
        assert!(matches!(opened.element::<i8>(index), Err(OpeningError::End { .. })));
        assert!(matches!(
            opened.elements::<u32>(0..index),
            Err(OpeningError::End { .. })
        ));
    }
}

#[test]
fn inputs_should_be_missing_when_not_opened_or_of_another_type() {
    let tensor = crate::tensor::to_bytes(&(0..1_024).collect::<Vec<u32>>());
    let opening = Opening::create(&tensor, &[1_024..2_048], &HashMode::Plain).unwrap();
    let root = digest(&tensor, &HashMode::Plain);
    let opened = opening.verify(&root, 4_096, &HashMode::Plain).unwrap();
    let inputs = &[OpenedTensor {
        dtype: DType::U32,
        opened,
    }][..];
    assert_eq!(*inputs.read::<u32>(0, 300..303).unwrap(), [300, 301, 302]);
    assert_eq!(inputs.one::<u32>(0, 511), Ok(511));
    let missing = |input, start, count| Missing { input, start, count };
    assert_eq!(inputs.one::<u32>(0, 512), Err(missing(0, 512, 1)));
    assert_eq!(inputs.read::<u32>(0, 255..258), Err(missing(0, 255, 3)));
    assert_eq!(inputs.one::<f32>(0, 300), Err(missing(0, 300, 1)));
    assert_eq!(inputs.one::<u32>(1, 300), Err(missing(1, 300, 1)));
}

#[test]
fn nodes_should_be_divided_as_blake3_does() {
    for length in 1_025..40_000 {
        let (left, right) = Node::root(length).children();
        assert_eq!(left.bytes(length).end, blake3::hazmat::left_subtree_len(length));
        assert_eq!(right.bytes(length), left.bytes(length).end..length);
    }
}

#[test]
fn key_should_neither_be_shown_nor_change_what_plain_hashes_are() {
    let private = HashMode::private(&[1; 32]);
    assert!(!alloc::format!("{private:?}").contains(char::is_numeric));
    assert_ne!(private.digest(b"a"), HashMode::Plain.digest(b"a"));
    assert_ne!(private.digest(b"a"), HashMode::private(&[2; 32]).digest(b"a"));
    assert_eq!(HashMode::Plain.digest(b"a"), blake3::hash(b"a").into());
}
