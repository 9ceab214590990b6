//! How tensors are divided in a dispute.

use super::*;

#[test]
fn layout_should_balance_values_and_subtrees() {
    let layout = |length: u64| {
        let layout = SubtreeLayout::of(length);
        (layout.count(), layout.range(0).unwrap().end)
    };
    const KIB: u64 = 1_024;
    const MIB: u64 = KIB * KIB;
    assert_eq!(layout(0), (1, 0));
    assert_eq!(layout(1), (1, 1));
    assert_eq!(layout(64 * KIB), (1, 64 * KIB));
    assert_eq!(layout(64 * KIB + 1), (5, 16 * KIB));
    assert_eq!(layout(8 * MIB), (512, 16 * KIB));
    assert_eq!(layout(8 * MIB + 1), (257, 32 * KIB));
    assert_eq!(layout(32 * MIB), (1_024, 32 * KIB));
    assert_eq!(layout(32 * MIB + 1), (513, 64 * KIB));
    assert_eq!(layout(256 * MIB), (4_096, 64 * KIB));
    assert_eq!(layout(256 * MIB + 1), (2_049, 128 * KIB));
    assert_eq!(layout(u64::MAX), (4_096, 1 << 52));
}

#[test]
fn values_should_merge_to_the_digest() {
    for mode in [HashMode::Plain, KEYED] {
        for length in LENGTHS.into_iter().chain([65_537, 81_920, 17 * 16_384, 9_000_000]) {
            let tensor = blob(length);
            let root = digest(&tensor, &mode);
            let layout = SubtreeLayout::of(length as u64);
            let values = layout.values(&tensor, &mode).unwrap();
            assert_eq!(layout.check_values(&values, &root, &mode), Ok(()));
            assert_eq!(ChunkTree::new(&tensor, mode).subtrees(), values);
            for (index, value) in values.iter().enumerate() {
                let range = layout.range(index as u64).unwrap();
                let bytes = &tensor[range.start as usize..range.end as usize];
                assert_eq!(layout.check_bytes(index as u64, bytes, value, &mode), Ok(()));
            }
        }
    }
}

#[test]
fn value_should_be_the_digest_when_a_tensor_is_one_subtree() {
    let tensor = blob(65_536);
    let values = SubtreeLayout::of(65_536).values(&tensor, &KEYED).unwrap();
    assert_eq!(values, [digest(&tensor, &KEYED).0]);
}

#[test]
fn values_should_be_refused_when_any_bit_or_their_number_is_changed() {
    let tensor = blob(70_000);
    let root = digest(&tensor, &HashMode::Plain);
    let layout = SubtreeLayout::of(70_000);
    let values = layout.values(&tensor, &HashMode::Plain).unwrap();
    assert_eq!(values.len(), 5);
    for index in 0..values.len() {
        for bit in 0..256 {
            let mut values = values.clone();
            values[index][bit / 8] ^= 1 << (bit % 8);
            let checked = layout.check_values(&values, &root, &HashMode::Plain);
            assert!(matches!(checked, Err(SubtreeError::Root { .. })));
        }
    }
    let count = |got| Err(SubtreeError::Count { expected: 5, got });
    assert_eq!(layout.check_values(&values[1..], &root, &HashMode::Plain), count(4));
    assert_eq!(layout.check_values(&[], &root, &HashMode::Plain), count(0));
    let more = [&values[..], &values[..1]].concat();
    assert_eq!(layout.check_values(&more, &root, &HashMode::Plain), count(6));
    // A tensor of another length is divided at other places
    let other = SubtreeLayout::of(90_000);
    assert!(other.check_values(&values, &root, &HashMode::Plain).is_err());
    assert_eq!(
        layout.values(&tensor[1..], &HashMode::Plain),
        Err(SubtreeError::Bytes {
            expected: 70_000,
            got: 69_999
        })
    );
}

#[test]
fn bytes_should_be_refused_when_they_are_not_those_of_the_subtree() {
    let tensor = blob(70_000);
    let layout = SubtreeLayout::of(70_000);
    let values = layout.values(&tensor, &KEYED).unwrap();
    let check = |index, bytes: &[u8], value: usize| layout.check_bytes(index, bytes, &values[value], &KEYED);
    let last = &tensor[65_536..];
    assert_eq!(check(4, last, 4), Ok(()));
    assert_eq!(check(4, last, 3), Err(SubtreeError::Value { index: 4 }));
    for byte in [0, 1_000, last.len() - 1] {
        let mut bytes = last.to_vec();
        bytes[byte] ^= 0x80;
        assert_eq!(check(4, &bytes, 4), Err(SubtreeError::Value { index: 4 }));
    }
    assert_eq!(
        check(0, &tensor[16_384..32_768], 1),
        Err(SubtreeError::Value { index: 0 })
    );
    assert!(matches!(check(4, &last[1..], 4), Err(SubtreeError::Bytes { .. })));
    assert_eq!(check(5, &[], 4), Err(SubtreeError::Index { index: 5, count: 5 }));
    assert!(layout.check_bytes(4, last, &values[4], &HashMode::Plain).is_err());
}

#[test]
fn subtree_should_be_found_by_a_byte_in_it() {
    let layout = SubtreeLayout::of(70_000);
    assert_eq!(layout.index_of(0), Some(0));
    assert_eq!(layout.index_of(16_383), Some(0));
    assert_eq!(layout.index_of(16_384), Some(1));
    assert_eq!(layout.index_of(69_999), Some(4));
    assert_eq!(layout.index_of(70_000), None);
}

#[test]
fn subtree_should_fit_into_one_opening() {
    let tensor = blob(9_000_000);
    let layout = SubtreeLayout::of(9_000_000);
    let range = layout.range(3).unwrap();
    let opening = Opening::create(&tensor, &[range], &HashMode::Plain).unwrap();
    assert!(opening
        .verify(&digest(&tensor, &HashMode::Plain), 9_000_000, &HashMode::Plain)
        .is_ok());
}
