//! Openings: of bytes, and of a blob that is known. What is proved of that is what it has.

#![no_main]

use assay_exact::opening::{Digest, HashMode, Opening, OpeningError, SubtreeLayout, CHUNK_LEN};
use codec::{Decode, DecodeAll, Encode};
use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};

/// Most bytes of the blob that is known.
const MOST: u32 = 80 << 10;

/// As an opening is encoded.
type Parts = (Vec<(codec::Compact<u64>, codec::Compact<u64>)>, Vec<u8>, Vec<[u8; 32]>);

/// Nothing may be left over: what a changed length leaves behind would be missing from the encoding.
fn decode(mut bytes: &[u8]) -> Option<Opening> {
    Opening::decode_all(&mut bytes).ok()
}

/// Verifies, and reads whatever can be read. Errors say what they are.
fn read(opening: &Opening, root: &Digest, length: u64, mode: &HashMode) -> std::result::Result<(), OpeningError> {
    let opened = opening.verify(root, length, mode)?;
    for run in opening.runs() {
        let start = run.first * CHUNK_LEN;
        let end = run
            .end()
            .map_or(length, |end| end.saturating_mul(CHUNK_LEN))
            .min(length);
        assert!(opened.read(start..end).is_ok());
        assert!(opening.opens_exactly(&[start..end], length) || opening.runs().len() > 1 || start == end);
        for range in [
            start.wrapping_sub(1)..end,
            start..end.wrapping_add(1),
            end..start,
            0..u64::MAX,
        ] {
            let _ = opened.read(range.clone()).map_err(|error| error.to_string());
            let _ = opened.elements::<u64>(range.clone()).map_err(|error| error.to_string());
            let _ = opened.element::<u32>(range.start);
        }
    }
    Ok(())
}

/// Puts right what errors say, one after the other, as whoever makes up a blob can.
fn repair(mut opening: Opening, length: u64, mode: &HashMode) {
    let mut root = Digest::default();
    for _ in 0..4 {
        let Err(error) = read(&opening, &root, length, mode) else {
            return;
        };
        let _ = error.to_string();
        let bytes = opening.encode();
        let Ok((runs, mut bytes, mut siblings)) = Parts::decode(&mut &bytes[..]) else {
            panic!("an opening is encoded as its parts")
        };
        match error {
            OpeningError::Bytes { expected, .. } if expected <= 64 * CHUNK_LEN => bytes.resize(expected as usize, 7),
            OpeningError::Siblings { expected, .. } if expected <= 1_024 => siblings.resize(expected as usize, [9; 32]),
            OpeningError::Root { got, .. } => root = got,
            _ => return,
        }
        match decode(&(runs, bytes, siblings).encode()) {
            Some(repaired) => opening = repaired,
            None => return,
        }
    }
}

/// An opening of a blob that is known, then changed.
fn known(u: &mut Unstructured<'_>, mode: &HashMode) -> Result<()> {
    let length = u.int_in_range(0..=MOST)?;
    let blob: Vec<u8> = (0..length).map(|at| (at / 1_024 + at % 251) as u8).collect();
    let root = mode.digest(&blob);
    let mut ranges = Vec::new();
    for _ in 0..u.int_in_range(1..=4)? {
        let start = u64::from(u.int_in_range(0..=length)?);
        ranges.push(start..start.saturating_add(u.arbitrary::<u16>()?.into()));
    }
    let opening = match Opening::create(&blob, &ranges, mode) {
        Ok(opening) => opening,
        Err(error) => {
            let _ = error.to_string();
            return Ok(());
        }
    };
    let length = u64::from(length);
    assert!(opening.opens_exactly(&ranges, length));
    read(&opening, &root, length, mode).expect("what is cut is right; qed");
    let mut bytes = opening.encode();
    assert_eq!(decode(&bytes).as_ref(), Some(&opening));
    for _ in 0..u.int_in_range(0..=3)? {
        let at = u.choose_index(bytes.len())?;
        bytes[at] ^= u.arbitrary::<u8>()?;
    }
    let other_length = match u.int_in_range(0..=3)? {
        0 => u.arbitrary()?,
        1 => length.wrapping_add(1),
        2 => length.wrapping_sub(1),
        _ => length,
    };
    let Some(changed) = decode(&bytes) else { return Ok(()) };
    assert_eq!(changed.encode(), bytes, "one encoding");
    if let Ok(opened) = changed.verify(&root, other_length, mode) {
        // Also under another length than the blob has: the bytes are those at these offsets
        for run in changed.runs() {
            let [start, end] =
                [run.first, run.first + run.count].map(|chunk| chunk.saturating_mul(CHUNK_LEN).min(other_length));
            let whole = blob.get(start as usize..end as usize);
            assert_eq!(opened.read(start..end).ok(), whole);
        }
        if other_length == length {
            assert_eq!(changed, opening);
        }
    }
    repair(changed, other_length, mode);
    Ok(())
}

/// Subtrees of posted values.
fn subtrees(u: &mut Unstructured<'_>, mode: &HashMode) -> Result<()> {
    let length = match u.int_in_range(0..=2)? {
        0 => u.arbitrary()?,
        1 => u64::from(u.arbitrary::<u16>()?),
        _ => u64::from(u.arbitrary::<u32>()?),
    };
    let layout = SubtreeLayout::of(length);
    let index: u64 = u.arbitrary()?;
    let _ = layout.index_of(index);
    let Ok(range) = layout.range(index % layout.count()) else {
        panic!("an index below the count is one")
    };
    assert!(range.end <= length);
    let values = vec![[index as u8; 32]; layout.count() as usize];
    assert!(layout.merge(&values, mode).is_ok());
    let root = Digest::default();
    let _ = layout
        .check_values(&values, &root, mode)
        .map_err(|error| error.to_string());
    let bytes = u.peek_bytes(u.len()).unwrap_or_default();
    let _ = layout
        .check_bytes(index, bytes, &[0; 32], mode)
        .map_err(|error| error.to_string());
    Ok(())
}

fn run(data: &[u8]) -> Result<()> {
    let u = &mut Unstructured::new(data);
    let kind: u8 = u.arbitrary()?;
    let mode = if kind & 1 == 0 {
        HashMode::Plain
    } else {
        HashMode::Keyed([kind; 32])
    };
    match kind >> 1 & 3 {
        0 => {
            let length = u.arbitrary()?;
            if let Some(opening) = decode(u.peek_bytes(u.len()).unwrap_or_default()) {
                repair(opening, length, &mode);
            }
            Ok(())
        }
        1 | 2 => known(u, &mode),
        _ => subtrees(u, &mode),
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});
