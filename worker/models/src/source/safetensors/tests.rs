//! What safetensors files give, and why they are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::support::safetensors as file;

fn refused(header: &str, data: &[u8]) -> String {
    Safetensors::from_bytes(file(header, data)).unwrap_err().to_string()
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn read_should_widen_every_float_type() {
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
        "b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"c":{"dtype":"BF16","shape":[],"data_offsets":[12,14]},
        "d":{"dtype":"I64","shape":[1],"data_offsets":[14,22]}}"#;
    let mut data = floats(&[1.5, -2.0]);
    data.extend([0x00, 0x3e, 0x01, 0x80, 0x40, 0x40, 0, 0, 0, 0, 0, 0, 0, 0]);
    let source = Safetensors::from_bytes(file(header, &data)).unwrap();
    assert_eq!(source.names(), ["a", "b", "c", "d"]);
    assert_eq!(source.shape("a").unwrap(), [1, 2]);
    assert_eq!(source.read_f32("a").unwrap(), [1.5, -2.0]);
    assert_eq!(source.read_f32("b").unwrap(), [1.5, -(2_f32.powi(-24))]);
    assert_eq!(source.read_f32("c").unwrap(), [3.0]);
    let error = source.read_f32("d").unwrap_err().to_string();
    assert!(
        error.contains("expected elements of type F32, F16 or BF16, got I64"),
        "{error}"
    );
}

#[test]
fn file_should_be_refused_when_its_header_lies() {
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let cases = [
        (tensor("F32", "[2]", "[0,4]"), "4 bytes for each of 2 elements"),
        (tensor("F32", "[2]", "[0,16]"), "a range within 8 bytes"),
        (tensor("F32", "[2]", "[8,0]"), "a range within 8 bytes"),
        (tensor("F32", "[1]", "[4,8]"), "begins at byte"),
        (tensor("F32", "[1]", "[0,4]"), "as the header says"),
        (tensor("F32", "[4294967296,4294967296]", "[0,8]"), "fits into memory"),
        (tensor("F32", "[-1]", "[0,8]"), "dtype, shape and data_offsets"),
        (r#"{"a":7}"#.into(), "dtype, shape and data_offsets"),
        ("{".into(), "header"),
    ];
    for (header, expected) in cases {
        let error = refused(&header, &[0; 8]);
        assert!(error.contains(expected), "{header}: {error}");
    }
}

#[test]
fn file_should_be_refused_when_a_name_comes_twice() {
    let tensor = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let error = refused(&format!("{{{tensor},{tensor}}}"), &[0; 4]);
    assert!(error.contains("tensor \"a\" twice"), "{error}");
}

#[test]
fn file_should_be_refused_when_the_header_is_longer_than_the_file() {
    let error = Safetensors::from_bytes(u64::MAX.to_le_bytes().to_vec())
        .unwrap_err()
        .to_string();
    assert!(error.contains("header's length: expected at most 0 bytes"), "{error}");
}

/// A folder with two files, `a` in the first and `b` in the second, and this index.
fn sharded(map: &str) -> Result<Safetensors, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in [(1, "a"), (2, "b")] {
        let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
        std::fs::write(
            folder.path().join(format!("{number}.safetensors")),
            file(&header, &floats(&[number as f32])),
        )
        .unwrap();
    }
    std::fs::write(
        folder.path().join(INDEX),
        format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{map}}}"#),
    )
    .unwrap();
    Safetensors::open(folder.path())
}

#[test]
fn read_should_find_tensors_in_several_files() {
    let source = sharded(r#"{"a":"1.safetensors","b":"2.safetensors"}"#).unwrap();
    assert_eq!(
        (source.read_f32("a").unwrap(), source.read_f32("b").unwrap()),
        (vec![1.0], vec![2.0])
    );
}

#[test]
fn folder_should_be_refused_when_its_index_lies() {
    let cases = [
        (
            r#"{"a":"2.safetensors","b":"2.safetensors"}"#,
            "tensor \"a\" in 2.safetensors, got none",
        ),
        (
            r#"{"a":"2.safetensors","b":"1.safetensors"}"#,
            "got it in 1.safetensors",
        ),
        (r#"{"a":"3.safetensors"}"#, "expected a readable file"),
        (r#"{"a":"../1.safetensors"}"#, "in the same folder"),
        ("7", "weight_map"),
    ];
    for (map, expected) in cases {
        let error = sharded(map).unwrap_err().to_string();
        assert!(error.contains(expected), "{map}: {error}");
    }
}
