//! Values that another implementation has given, which shares no code with this one. `docs/exact/traces.md` quotes
//! them.

use super::*;

/// The blob of BLAKE3's own test vectors: 0 to 250, over and over.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// The key of BLAKE3's own test vectors.
const KEY: HashMode = HashMode::Keyed(*b"whats the Elvish word for friend");

/// Checks a blob's digest, the opening's length and the plain digest of its encoding.
fn check(length: usize, ranges: &[Range<u64>], mode: HashMode, blob: &str, size: usize, opening: &str) {
    let bytes = pattern(length);
    let made = Opening::create(&bytes, ranges, &mode).unwrap();
    let encoded = made.encode();
    assert_eq!(mode.digest(&bytes).to_string(), blob);
    assert_eq!(encoded.len(), size);
    assert_eq!(HashMode::Plain.digest(&encoded).to_string(), opening);
    assert!(made.verify(&mode.digest(&bytes), length as u64, &mode).is_ok());
}

#[test]
fn openings_should_be_the_golden_ones() {
    // begin quote: openings
    let two = [1_500..1_600, 4_990..5_000];
    let three = [0..1, 40_000..42_000, 99_999..100_000];
    check(
        5_000,
        &two,
        HashMode::Plain,
        "0xee78d92070de3df1c57c37002abf0a6b1a6589acdeef4d8ffac7cf3d9e8f2836",
        2_000,
        "0x6bb5fa02893873bed611ea68e1c02fc247a193912bab47409a4b5ce9691736ce",
    );
    check(
        5_000,
        &two,
        KEY,
        "0x27dc394fb01f055606c3aedde3a8c3694c34a8c514cc61a27279f1417cc385e0",
        2_000,
        "0xafeffe062cec3d01698f8764e9f731b43529bb2bd77a148dc687477df695a253",
    );
    check(
        100_000,
        &three,
        HashMode::Plain,
        "0xd93c23eedaf165a7e0be908ba86f1a7a520d568d2d13cde787c8580c5c72cc54",
        5_195,
        "0x50dbd5982123c8b476b3e0076810a69f1f77f5e262fc80b1b980796581c6832e",
    );
    check(
        100_000,
        &three,
        KEY,
        "0x74c836d008247adebbc032d1bced2e71d19050b5c39fa03c43d4160ad8d17073",
        5_195,
        "0x07077c90a3c094be44515397b5a7031725e633b8aa0e126ee972bf61b49e6817",
    );
    // end quote
}

#[test]
fn subtrees_should_be_the_golden_ones() {
    let check = |length: usize, mode: HashMode, count: u64, all: &str| {
        let layout = SubtreeLayout::of(length as u64);
        assert_eq!(layout.count(), count);
        let values = layout.values(&pattern(length), &mode).unwrap();
        assert_eq!(HashMode::Plain.digest(&values.concat()).to_string(), all);
    };
    let plain = HashMode::Plain;
    // begin quote: subtrees
    check(
        65_536,
        plain,
        1,
        "0xfec8a2aca99336e034a41405b7fff21348bc4c3b7fbe6fd5d28adeab6b1482e5",
    );
    check(
        65_537,
        plain,
        5,
        "0x4ee2cbe69c435ec6c7b868759c6cc8b7291e7c8aa979fd10b76de35c6787bf3e",
    );
    check(
        100_000,
        plain,
        7,
        "0x2540a4fa036b78c6e015a3eb18b4301545c6dea960a9d6a52da32744cad9485c",
    );
    check(
        65_536,
        KEY,
        1,
        "0x2955af5f59f11250c40a69cee5498b34167d7f389bf469c46722d837e37e6bd1",
    );
    check(
        65_537,
        KEY,
        5,
        "0xd8d834e19ccb34f1c714039ee1bf232d21bf1a8fcc13447c5d4b46ceb03a0de7",
    );
    check(
        100_000,
        KEY,
        7,
        "0x969b303de458183d701c52d5c978312544a59032617d9fa8386ef0f4e01b525c",
    );
    // end quote
}

#[test]
fn key_should_be_the_golden_one() {
    let secret: [u8; 32] = core::array::from_fn(|at| at as u8);
    let HashMode::Keyed(key) = HashMode::private(&secret) else {
        panic!("private jobs are hashed under a key")
    };
    // begin quote: key
    assert_eq!(
        Digest(key).to_string(),
        "0xd803a7b2f504be158daa79822c010210f076053b122932504c7a99693f657fbf"
    );
    // end quote
}
