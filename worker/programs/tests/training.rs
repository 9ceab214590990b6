//! The bits of training, so that no change of them goes unseen.

mod golden;

#[test]
fn training_should_have_the_committed_bits() {
    let committed = include_str!("../../../tests/vectors/training.json");
    assert!(
        golden::vectors().is_ok_and(|vectors| vectors == committed),
        "expected the vectors that are committed; the example `training` writes them anew"
    );
}
