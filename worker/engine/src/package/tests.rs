//! Manifests, imports and what is refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{testing::Fixture, EmbedError, TokenizerError};
use serde_json::json;

fn imported(fixture: &Fixture) -> Result<(tempfile::TempDir, Imported), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    fixture.write(folder.path());
    let imported = import(folder.path(), "tiny")?;
    Ok((folder, imported))
}

fn error(fixture: &Fixture) -> ImportError {
    imported(fixture).unwrap_err()
}

fn load(folder: &Path, manifest: &Manifest) -> Result<Package, PackageError> {
    Package::load(manifest.clone(), |file| folder.join(&file.name))
}

#[test]
fn import_should_name_every_file_by_content() {
    let (folder, Imported { manifest, files }) = imported(&Fixture::new()).unwrap();
    assert_eq!(
        files.iter().map(|file| file.entry.name.as_str()).collect::<Vec<_>>(),
        FILES
    );
    for file in &files {
        let content = std::fs::read(&file.path).unwrap();
        assert_eq!(file.entry.blob(), blob_of(&content));
    }
    assert_eq!(manifest.tokenizer().name, TOKENIZER);
    assert_eq!(
        manifest.profile(),
        ModelProfile {
            units_per_token: 2 * (256 + 256 + 192),
            max_sequence: 12,
            dimensions: 8
        }
    );
    assert_eq!(load(folder.path(), &manifest).unwrap().profile(), manifest.profile());
}

#[test]
fn import_should_heed_the_sequence_limit_of_sentence_transformers() {
    let folder = tempfile::tempdir().unwrap();
    Fixture::new().write(folder.path());
    for (stated, expected) in [
        (json!({"max_seq_length": 5}), 5),
        (json!({"max_seq_length": 500}), 12),
        (json!({}), 12),
    ] {
        std::fs::write(folder.path().join("sentence_bert_config.json"), stated.to_string()).unwrap();
        let manifest = import(folder.path(), "tiny").unwrap().manifest;
        assert_eq!(manifest.profile().max_sequence, expected);
        load(folder.path(), &manifest).unwrap();
    }
    std::fs::write(folder.path().join("sentence_bert_config.json"), "[").unwrap();
    assert!(matches!(
        import(folder.path(), "tiny"),
        Err(ImportError::SentenceConfig { .. })
    ));
}

#[test]
fn import_should_refuse_another_pooling() {
    let folder = tempfile::tempdir().unwrap();
    Fixture::new().write(folder.path());
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let mean =
        json!({"word_embedding_dimension": 8, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true});
    let cls = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false});
    let both = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true});
    for (config, accepted) in [
        (mean, true),
        (json!({"pooling_mode": "mean"}), true),
        (json!({"pooling_mode": "cls"}), false),
        (cls, false),
        (both, false),
    ] {
        std::fs::write(folder.path().join("1_Pooling/config.json"), config.to_string()).unwrap();
        match import(folder.path(), "tiny") {
            Ok(_) => assert!(accepted, "{config}"),
            Err(ImportError::Pooling { .. }) => assert!(!accepted, "{config}"),
            other => panic!("{config}: {other:?}"),
        }
    }
}

#[test]
fn import_should_name_the_file_that_is_missing() {
    for name in FILES {
        let folder = tempfile::tempdir().unwrap();
        Fixture::new().write(folder.path());
        std::fs::remove_file(folder.path().join(name)).unwrap();
        match import(folder.path(), "tiny") {
            Err(ImportError::Missing { file, .. }) => assert_eq!(file, name),
            other => panic!("{name}: {other:?}"),
        }
        assert!(matches!(
            import(&folder.path().join(name), "tiny"),
            Err(ImportError::NoFolder { .. })
        ));
    }
}

#[test]
fn import_should_give_each_broken_file_its_own_error() {
    let mut fixture = Fixture::new();
    fixture.config["model_type"] = "llama".into();
    let message = error(&fixture).to_string();
    assert!(message.contains("llama") && message.contains("BERT"), "{message}");

    let mut fixture = Fixture::new();
    fixture.remove("embeddings.LayerNorm.bias");
    assert!(matches!(error(&fixture), ImportError::Weights(EmbedError::Weights(_))));

    let mut fixture = Fixture::new();
    fixture.tokenizer["model"]["vocab"]["beyond"] = 10.into();
    assert!(matches!(
        error(&fixture),
        ImportError::Tokenizer(TokenizerError::Vocabulary { expected: 10, got: 10 })
    ));

    let folder = tempfile::tempdir().unwrap();
    Fixture::new().write(folder.path());
    std::fs::write(folder.path().join(WEIGHTS), "weights").unwrap();
    assert!(matches!(
        import(folder.path(), "tiny"),
        Err(ImportError::Weights(EmbedError::Weights(_)))
    ));
}

#[test]
fn import_should_refuse_names_that_cannot_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    Fixture::new().write(folder.path());
    for name in ["", "two\nlines", &"x".repeat(MAX_NAME + 1)] {
        assert!(matches!(
            import(folder.path(), name),
            Err(ImportError::Manifest(ManifestError::Name { .. }))
        ));
    }
}

#[test]
fn manifest_should_have_one_form_only() {
    let (_folder, Imported { manifest, .. }) = imported(&Fixture::new()).unwrap();
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::from_bytes(&bytes).unwrap(), manifest);
    assert_eq!(manifest.blob(), blob_of(&bytes));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        text.starts_with(r#"{"version":1,"family":"bert","task":"embed","name":"tiny","profile":{"units_per_token":"#)
    );

    assert!(matches!(
        Manifest::from_bytes(&[&bytes[..], b"\n"].concat()),
        Err(ManifestError::NotCanonical)
    ));
    let reordered = text.replacen(
        r#""family":"bert","task":"embed""#,
        r#""task":"embed","family":"bert""#,
        1,
    );
    assert!(matches!(
        Manifest::from_bytes(reordered.as_bytes()),
        Err(ManifestError::NotCanonical)
    ));
    let upper = text.replace(
        &hex::encode(manifest.files()[0].hash),
        &hex::encode_upper(manifest.files()[0].hash),
    );
    assert!(matches!(
        Manifest::from_bytes(upper.as_bytes()),
        Err(ManifestError::NotCanonical)
    ));
}

#[test]
fn manifest_should_be_refused_with_a_reason() {
    let (_folder, Imported { manifest, .. }) = imported(&Fixture::new()).unwrap();
    let text = String::from_utf8(manifest.to_bytes()).unwrap();
    let parse = |text: String| Manifest::from_bytes(text.as_bytes()).unwrap_err();
    let newer = parse(r#"{"version":2,"anything":[]}"#.into());
    assert!(matches!(newer, ManifestError::Version { got: 2 }));
    assert!(matches!(
        parse(text.replace("embed", "translate")),
        ManifestError::Invalid(_)
    ));
    assert!(matches!(
        parse(text.replace(CONFIG, "other.json")),
        ManifestError::Files { .. }
    ));
    assert!(matches!(parse(text.replace("tiny", "")), ManifestError::Name { .. }));
    assert!(matches!(parse("PK".into()), ManifestError::Invalid(_)));
    assert!(matches!(
        parse(" ".repeat(MAX_MANIFEST + 1)),
        ManifestError::TooLarge { .. }
    ));
}

#[test]
fn package_should_be_refused_when_a_file_has_other_content() {
    let (folder, Imported { manifest, .. }) = imported(&Fixture::new()).unwrap();
    let mut content = std::fs::read(folder.path().join(WEIGHTS)).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join(WEIGHTS), content).unwrap();
    match load(folder.path(), &manifest) {
        Err(PackageError::Mismatch { name, expected, got }) => {
            assert_eq!(name, WEIGHTS);
            assert_eq!(expected.size, got.size);
        }
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(folder.path().join(WEIGHTS)).unwrap();
    assert!(matches!(load(folder.path(), &manifest), Err(PackageError::Read { .. })));
}

#[test]
fn package_should_be_refused_when_its_profile_is_not_its_architectures() {
    let (folder, Imported { manifest, .. }) = imported(&Fixture::new()).unwrap();
    let spoil: [fn(&mut Profile); 4] = [
        |profile| profile.units_per_token -= 1,
        |profile| profile.dimensions = 4,
        |profile| profile.max_sequence = 13,
        |profile| profile.max_sequence = 0,
    ];
    for spoil in spoil {
        let mut manifest = manifest.clone();
        spoil(&mut manifest.profile);
        assert!(matches!(
            load(folder.path(), &manifest),
            Err(PackageError::Profile { .. })
        ));
    }
}
