//! What the repository keeps to: links in the documentation lead somewhere, the code it quotes is the
//! code of the tests, and no lock file ties us to one registry's host.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};
use xtask::workspace;

/// Stands over a block of quoted code: file and name of the quoted part.
const QUOTE: &str = "<!-- quote: ";

/// The pages in a folder, and in those below it.
fn pages_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let pages = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
        .chain(folders.iter().flat_map(|folder| pages_in(folder)))
        .collect()
}

fn pages() -> Vec<PathBuf> {
    let root = workspace::root();
    let mut pages = pages_in(&root.join("docs"));
    pages.extend([root.join("README.md"), root.join("CHANGELOG.md")]);
    pages
}

/// Targets of a page's links to files, without the part after `#`.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    files.map(|target| target.split('#').next().unwrap()).collect()
}

/// Lines of `file` between `begin quote: name` and `end quote`, moved to the left.
fn quoted(file: &Path, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let begin = format!("// begin quote: {name}");
    let lines = text.lines().skip_while(|line| line.trim() != begin).skip(1);
    let lines: Vec<_> = lines.take_while(|line| line.trim() != "// end quote").collect();
    assert!(!lines.is_empty(), "{} has no part `{begin}`", file.display());
    let indent = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap();
    lines
        .iter()
        .map(|line| format!("{}\n", line.get(indent..).unwrap_or("")))
        .collect()
}

/// The block of code that begins at the next line.
fn block(rest: &str) -> String {
    let lines = rest.lines().skip(1);
    lines
        .skip(1)
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn links_should_lead_to_files() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            assert!(
                page.parent().unwrap().join(link).exists(),
                "{}: no {link}",
                page.display()
            );
        }
    }
}

#[test]
fn quoted_code_should_be_that_of_the_tests() {
    let mut quotes = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split(QUOTE).skip(1) {
            let (file, name) = rest.split_once(" -->").unwrap().0.split_once(' ').unwrap();
            let expected = quoted(&workspace::root().join(file), name);
            assert_eq!(
                block(rest),
                expected,
                "{}: not what {file} has as {name}",
                page.display()
            );
            quotes += 1;
        }
    }
    assert!(quotes > 0, "no page quotes anything: has the mark changed?");
}

#[test]
fn npm_lock_should_name_no_registry() {
    let lock = fs::read_to_string(workspace::root().join("tests/js/package-lock.json")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    for (name, package) in lock["packages"].as_object().unwrap() {
        assert!(
            package.get("resolved").is_none(),
            "{name}: take `resolved` out, the integrity is enough"
        );
        assert!(
            name.is_empty() || package.get("integrity").is_some(),
            "{name} has no integrity"
        );
    }
}
