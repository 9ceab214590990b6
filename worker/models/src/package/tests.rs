//! Packages: what import writes, and what is refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{import, support, Imported};
use assay_exact::operator::Operator;
use assay_programs::{
    builder::{along, fixed, Builder, Tensor},
    family::bert::{Encoder, Pooling},
    formula::Formula,
    layer::Activation,
};

struct Setup {
    dir: tempfile::TempDir,
    imported: Imported,
}

fn setup(precision: Precision) -> Setup {
    let (model, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    support::bert(model.path());
    let imported = import(model.path(), "tiny", precision, dir.path()).unwrap();
    Setup { dir, imported }
}

impl Setup {
    fn load(&self, manifest: Manifest) -> Result<Package, PackageError> {
        Package::load(manifest, |file| self.dir.path().join(&file.name))
    }

    /// Writes another file in place of one, and names it in the manifest.
    fn replace(&self, file: usize, content: &[u8]) -> Manifest {
        let mut manifest = self.imported.manifest.clone();
        std::fs::write(self.dir.path().join(FILES[file]), content).unwrap();
        let Content { hash, size } = content_of(content);
        (manifest.files[file].hash, manifest.files[file].size) = (hash, size);
        manifest
    }

    fn file(&self, file: usize) -> Vec<u8> {
        std::fs::read(self.dir.path().join(FILES[file])).unwrap()
    }
}

#[test]
fn import_should_give_the_same_package_every_time() {
    let (first, second) = (setup(Precision::W8A16), setup(Precision::W8A16));
    assert_eq!(first.imported.manifest, second.imported.manifest);
    assert_ne!(first.imported.manifest, setup(Precision::W16A24).imported.manifest);
}

#[test]
fn package_should_have_the_files_that_its_manifest_names() {
    let setup = setup(Precision::W8A16);
    for (at, file) in setup.imported.files.iter().enumerate() {
        assert_eq!(file.entry.name, FILES[at]);
        assert_eq!(file.entry.content(), content_of(&std::fs::read(&file.path).unwrap()));
    }
    let package = setup.load(setup.imported.manifest.clone()).unwrap();
    let profile = package.manifest().profile();
    assert_eq!((profile.max_sequence, profile.dimensions), (16, 8));
    assert!(profile.units_per_token > 0);
    let digests = |package: &Package| -> Vec<Digest> {
        let weights = 0..package.program().weights.len();
        weights
            .map(|weight| HashMode::Plain.digest(&package.weight(weight).unwrap()))
            .collect()
    };
    assert_eq!(weights_digest(&digests(&package)), package.manifest().weights());
}

#[test]
fn manifest_should_have_one_form_only() {
    let Setup { imported, .. } = &setup(Precision::W8A16);
    let bytes = imported.manifest.to_bytes();
    assert_eq!(Manifest::from_bytes(&bytes).unwrap(), imported.manifest);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\"precision\":\"w8a16\""), "{text}");
    let read = |text: &str| Manifest::from_bytes(text.as_bytes()).unwrap_err().to_string();
    assert!(read(&text.replacen(':', ": ", 1)).contains("canonical"));
    assert!(read(&text.replace("\"version\":2", "\"version\":1")).contains("expected version 2, got 1"));
    assert!(read(&text.replace("tokenizer.json", "other")).contains("expected the files"));
    assert!(read(&text.replace("\"tiny\"", "\"\"")).contains("expected a name"));
    assert!(read(&text.replace("embed", "guess")).contains("expected the JSON"));
    assert!(read(&" ".repeat(MAX_MANIFEST + 1)).contains("expected at most"));
}

#[test]
fn package_should_be_refused_when_a_file_is_not_what_the_manifest_says() {
    for file in [0, 1] {
        let setup = setup(Precision::W8A16);
        let mut content = setup.file(file);
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(setup.dir.path().join(FILES[file]), content).unwrap();
        let error = setup.load(setup.imported.manifest.clone()).unwrap_err();
        assert!(matches!(error, PackageError::Mismatch { .. }), "{error}");
    }
    let setup = setup(Precision::W8A16);
    std::fs::remove_file(setup.dir.path().join(WEIGHTS)).unwrap();
    assert!(matches!(
        setup.load(setup.imported.manifest.clone()),
        Err(PackageError::Read { .. })
    ));
}

#[test]
fn package_should_be_refused_when_manifest_and_files_contradict_each_other() {
    let setup = setup(Precision::W8A16);
    let mut weights = setup.file(1);
    weights[0] ^= 1;
    let manifest = setup.replace(1, &weights);
    assert!(matches!(setup.load(manifest), Err(PackageError::Weights { .. })));
    weights.push(0);
    let manifest = setup.replace(1, &weights);
    assert!(matches!(setup.load(manifest), Err(PackageError::Size { .. })));

    let mut manifest = setup.imported.manifest.clone();
    manifest.profile.units_per_token -= 1;
    assert!(matches!(setup.load(manifest), Err(PackageError::Profile { .. })));
    let mut manifest = setup.imported.manifest.clone();
    manifest.task = Task::Generate;
    assert!(matches!(setup.load(manifest), Err(PackageError::Task { .. })));
    let mut manifest = setup.imported.manifest.clone();
    manifest.step -= 1;
    assert!(matches!(setup.load(manifest), Err(PackageError::Profile { .. })));

    let manifest = setup.replace(0, b"no program");
    assert!(matches!(setup.load(manifest), Err(PackageError::Program(_))));
}

/// Why a package with the program that `build` writes is refused; it is given the tokens, U32 `[L]`.
fn refused(setup: &Setup, build: impl FnOnce(&mut Builder, Tensor) -> Tensor) -> PackageError {
    let mut builder = Builder::new();
    let tokens = builder.input("tokens", DType::U32, &[Dim::LENGTH]);
    let result = build(&mut builder, tokens);
    builder.result(result);
    setup
        .load(setup.replace(0, &builder.finish().unwrap().to_bytes()))
        .unwrap_err()
}

/// The first eight elements, and zeros.
fn eight(builder: &mut Builder, x: Tensor) -> Tensor {
    let operator = Operator::View {
        shape: vec![fixed(8)],
        coordinates: vec![along(0)],
    };
    builder.push(operator, &[x])
}

/// As floats.
fn floats(builder: &mut Builder, x: Tensor) -> Tensor {
    builder.map(Formula::input(0), &[x])
}

#[test]
fn package_should_be_refused_when_its_result_is_not_of_floats() {
    let setup = setup(Precision::W8A16);
    let error = refused(&setup, eight);
    assert!(matches!(error, PackageError::Task { .. }), "{error}");
}

#[test]
fn package_should_be_refused_when_its_result_is_not_of_one_length() {
    let setup = setup(Precision::W8A16);
    let error = refused(&setup, floats);
    assert!(matches!(error, PackageError::Task { .. }), "{error}");
}

#[test]
fn package_should_be_refused_when_it_takes_no_token_ids() {
    let setup = setup(Precision::W8A16);
    for (dtype, shape) in [(DType::F32, Dim::LENGTH), (DType::U32, fixed(16))] {
        let mut builder = Builder::new();
        let tokens = builder.input("tokens", dtype, &[shape]);
        let tokens = floats(&mut builder, tokens);
        let result = eight(&mut builder, tokens);
        builder.result(result);
        let manifest = setup.replace(0, &builder.finish().unwrap().to_bytes());
        let error = setup.load(manifest).unwrap_err();
        assert!(matches!(error, PackageError::Task { .. }), "{dtype:?}: {error}");
    }
}

#[test]
fn package_should_be_refused_when_its_program_cannot_take_a_single_token() {
    let setup = setup(Precision::W8A16);
    let error = refused(&setup, |builder, tokens| {
        let shorter = Dim {
            constant: -4,
            ..Dim::LENGTH
        };
        let part = builder.slice(tokens, Dim::default(), &[shorter]);
        let part = floats(builder, part);
        eight(builder, part)
    });
    assert!(matches!(error, PackageError::Plan { length: 1, .. }), "{error}");
}

#[test]
fn package_should_be_refused_when_a_weight_changes_its_length() {
    let setup = setup(Precision::W8A16);
    let mut manifest = setup.imported.manifest.clone();
    let mut builder = Builder::new();
    let tokens = builder.input("tokens", DType::U32, &[Dim::LENGTH]);
    let weight = builder.weight("w", DType::F32, &[Dim::LENGTH]);
    let sum = builder.add(tokens, weight);
    let result = eight(&mut builder, sum);
    builder.result(result);
    let program = builder.finish().unwrap();
    (manifest.profile, manifest.step) = profile_of(&program, Task::Embed, 16).unwrap();
    let files = setup.replace(0, &program.to_bytes()).files;
    let error = setup.load(Manifest { files, ..manifest }).unwrap_err();
    assert!(
        matches!(&error, PackageError::Weight { name } if name == "w"),
        "{error}"
    );
}

#[test]
fn package_should_be_refused_when_its_program_cannot_take_the_longest_sequence() {
    let program = Encoder {
        vocabulary: 10,
        positions: 16,
        types: 2,
        width: 8,
        layers: 1,
        heads: 2,
        inner: 12,
        activation: Activation::Gelu,
        epsilon: 1e-12,
        pooling: Pooling::Mean,
    }
    .program(Precision::W8A16)
    .unwrap();
    let error = profile_of(&program, Task::Embed, u32::MAX).unwrap_err();
    assert!(matches!(error, PackageError::Plan { length: u32::MAX, .. }), "{error}");
}

#[test]
fn model_should_be_refused_when_a_tensor_is_missing_or_misshapen() {
    let model = tempfile::tempdir().unwrap();
    support::bert(model.path());
    let file = model.path().join("model.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let spoil = |from: &str, to: &str| {
        let at = whole
            .windows(from.len())
            .position(|part| part == from.as_bytes())
            .unwrap();
        let mut spoilt = whole.clone();
        spoilt[at..at + from.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&file, spoilt).unwrap();
        let to = tempfile::tempdir().unwrap();
        import(model.path(), "tiny", Precision::W8A16, to.path())
            .unwrap_err()
            .to_string()
    };
    let missing = spoil("embeddings.LayerNorm.bias", "embeddings.LayerNorm.blas");
    assert!(
        missing.contains("expected a tensor \"embeddings.LayerNorm.bias\""),
        "{missing}"
    );
    let misshapen = spoil("\"shape\":[10,8]", "\"shape\":[8,10]");
    assert!(misshapen.contains("expected the dimensions [10, 8]"), "{misshapen}");
}
