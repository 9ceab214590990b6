//! Trees built once give the same openings as the blob itself.

use super::*;

#[test]
fn tree_should_have_the_digest_of_the_blob() {
    for mode in [HashMode::Plain, KEYED] {
        for length in LENGTHS.into_iter().chain([17 * 16_384, 33 * 16_384 + 1]) {
            let blob = blob(length);
            let tree = ChunkTree::new(&blob, mode);
            assert_eq!(tree.root(), digest(&blob, &mode));
            assert_eq!(tree.length(), length as u64);
        }
    }
}

proptest! {
    #[test]
    fn tree_should_cut_the_same_opening((blob, ranges) in blob_and_ranges(), mode in mode()) {
        let tree = ChunkTree::new(&blob, mode);
        prop_assert_eq!(tree.open(&blob, &ranges), Opening::create(&blob, &ranges, &mode));
    }

    #[test]
    fn tree_should_not_depend_on_how_the_blob_comes(
        (blob, _) in blob_and_ranges(),
        parts in proptest::collection::vec(1..40_000usize, 1..20),
    ) {
        let mut builder = ChunkTreeBuilder::new(KEYED);
        let mut rest = &blob[..];
        for part in parts {
            let (next, after) = rest.split_at(part.min(rest.len()));
            builder.update(next);
            rest = after;
        }
        builder.update(rest);
        prop_assert_eq!(builder.finish(), ChunkTree::new(&blob, KEYED));
    }
}

/// Gives a few bytes at a time, and is interrupted in between.
#[cfg(feature = "std")]
struct Slow<'a>(&'a [u8], bool);

#[cfg(feature = "std")]
impl std::io::Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let length = out.len().min(1_000);
        self.0.read(&mut out[..length])
    }
}

#[cfg(feature = "std")]
#[test]
fn tree_should_be_built_from_a_reader() {
    let blob = blob(70_000);
    let tree = ChunkTree::from_reader(Slow(&blob, false), KEYED).unwrap();
    assert_eq!(tree, ChunkTree::new(&blob, KEYED));
}

#[cfg(feature = "std")]
#[test]
fn tree_should_open_a_blob_that_is_read_in_parts() {
    let blob = blob(150_000);
    let tree = ChunkTree::new(&blob, HashMode::Plain);
    let ranges = [5_000..5_001, 100_000..140_000];
    let mut read = 0;
    let opening = tree.open_with(&ranges, |range, out| {
        read += out.len();
        out.copy_from_slice(&blob[range.start as usize..range.end as usize]);
        std::io::Result::Ok(())
    });
    assert_eq!(
        opening.unwrap(),
        Opening::create(&blob, &ranges, &HashMode::Plain).unwrap()
    );
    // The chunks, and what lies beside them within the groups at their ends
    assert!(read <= 41 * 1_024 + 3 * 16 * 1_024, "{read}");
    let failing = tree.open_with(&ranges, |_, _| Err(std::io::Error::other("gone")));
    assert_eq!(failing.unwrap_err().to_string(), "gone");
}

#[test]
fn tree_should_refuse_to_open_another_blob() {
    let mut blob = blob(50_000);
    let tree = ChunkTree::new(&blob, HashMode::Plain);
    blob[7] ^= 1;
    assert!(matches!(
        tree.open(&blob, &[0..10]),
        Err(CutError::Changed(OpeningError::Root { .. }))
    ));
    assert!(tree.open(&blob, &[49_000..50_000]).is_ok());
    assert!(matches!(
        tree.open(&blob[..49_999], &[49_000..50_000]),
        Err(CutError::Range { .. })
    ));
    assert!(matches!(
        tree.open(&blob, &[49_000..50_001]),
        Err(CutError::Range { .. })
    ));
}
