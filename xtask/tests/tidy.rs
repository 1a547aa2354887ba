//! Rules of the house that no compiler checks, as ordinary tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Crates that must stay arithmetic: no runtime, no engine, no network among what they depend on.
const PURE: &[&str] = &["mail", "proto"];
const IMPURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "futures",
    "redb",
    "fjall",
    "tokio-postgres",
    "rustix",
    "socket2",
    "rustls",
    "tokio-rustls",
    "tracing",
    "ledger",
    "store",
    "postmaster",
    "server",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask has a parent").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of every crate of the house.
fn crates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .expect("crates/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("Cargo.toml").exists())
        .collect();
    found.push(root().join("xtask"));
    found.sort();
    assert!(found.len() > 5, "this test looks in the wrong place");
    found
}

/// Every Rust file of the house.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = crates();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "this test looks in the wrong place");
    found
}

/// The names in the table `[section]` of a manifest, and the lines they stand on.
fn table<'m>(manifest: &'m str, section: &str) -> Vec<(&'m str, &'m str)> {
    let head = format!("[{section}]");
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != head)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))?;
            (end > 0).then(|| (&line[..end], line))
        })
        .collect()
}

fn assert_clean(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn a_table_of_a_manifest_is_read() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nbytes.workspace = true\ntokio = { version = \"1\" }\n\n[lib]\nname = \"x\"\n";
    let names: Vec<&str> = table(manifest, "dependencies").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["bytes", "tokio"]);
}

#[test]
fn pure_crates_depend_on_no_runtime_and_no_engine() {
    let mut found = Vec::new();
    for name in PURE {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        let needs = table(&manifest, "dependencies");
        assert!(!needs.is_empty(), "{name}: no dependencies were read");
        for (dependency, _) in needs {
            if IMPURE.contains(&dependency) {
                found.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_clean("a room of arithmetic reaches for the world", &found);
}

#[test]
fn every_crate_says_what_it_is_and_what_never_lives_there() {
    let mut found = Vec::new();
    for folder in crates() {
        for file in ["src/lib.rs", "src/main.rs"] {
            let path = folder.join(file);
            if !path.exists() {
                continue;
            }
            let text = read(&path);
            // A room that nobody has moved into has nothing to say yet.
            let code: String = text.lines().filter(|line| !line.starts_with("//")).collect();
            if matches!(code.trim(), "" | "fn main() {}") {
                continue;
            }
            let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            if !head.to_lowercase().contains("never") {
                found.push(path.display().to_string());
            }
        }
    }
    assert_clean("the crate's head does not say what never lives there", &found);
}

#[test]
fn every_crate_inherits_the_lints_and_no_unsafe_is_allowed() {
    let lints = read(&root().join("Cargo.toml"));
    let rust = table(&lints, "workspace.lints.rust");
    assert!(rust.iter().any(|(_, line)| *line == "unsafe_code = \"forbid\""), "unsafe_code is not forbidden");
    let mut found = Vec::new();
    for folder in crates() {
        let manifest = read(&folder.join("Cargo.toml"));
        if !table(&manifest, "lints").iter().any(|(_, line)| *line == "workspace = true") {
            found.push(folder.display().to_string());
        }
    }
    assert_clean("these crates do not inherit the workspace's lints", &found);
}

#[test]
fn licences_are_there_and_every_crate_bears_them() {
    for (file, words) in [("LICENSE-MIT", "Permission is hereby granted"), ("LICENSE-APACHE", "Version 2.0")]
    {
        assert!(read(&root().join(file)).contains(words), "{file} is not the licence");
    }
    assert!(read(&root().join("Cargo.toml")).contains("license = \"MIT OR Apache-2.0\""));
    for folder in crates() {
        let manifest = read(&folder.join("Cargo.toml"));
        assert!(manifest.contains("license.workspace = true"), "{} names no licence", folder.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let forbidden = [["todo", "!("].concat(), ["unimplemented", "!("].concat(), ["#[", "ignore"].concat()];
    let mut found = Vec::new();
    for path in sources() {
        for (number, line) in read(&path).lines().enumerate() {
            if forbidden.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_clean("left for later", &found);
}

#[test]
fn the_law_is_cited_in_one_spelling() {
    let mut found = Vec::new();
    for path in sources() {
        if path.ends_with("xtask/tests/tidy.rs") {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            let comment = line.find("//").map_or("", |at| &line[at..]);
            if misspelt(comment) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_clean("write `RFC 9051 §6.4.5`", &found);
}

/// Whether a comment cites an RFC in any other way than `RFC 9051 §6.4.5`.
fn misspelt(comment: &str) -> bool {
    let lower = comment.to_ascii_lowercase();
    lower.match_indices("rfc").any(|(at, _)| {
        let before = comment[..at].chars().next_back();
        let name = &comment[at..];
        let number = name[3..].trim_start_matches([' ', '-', '_', '#']);
        let digits = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        // Part of a word, of a file's name, or a word with no number: not a citation. RFC822 is a word of IMAP.
        if before.is_some_and(|c| c.is_alphanumeric() || "_/`\"-".contains(c))
            || digits < 3
            || name.starts_with("RFC822")
        {
            return false;
        }
        let rest = &number[digits..];
        let section = rest.trim_start_matches([' ', ',', '#']).to_lowercase();
        let well = name.starts_with("RFC ") && name[4..].starts_with(|c: char| c.is_ascii_digit());
        let named =
            section.starts_with("section") || section.starts_with("sec.") || section.starts_with("sect.");
        let sign = section.starts_with('§');
        let well_signed =
            rest.strip_prefix(" §").is_some_and(|s| s.starts_with(|c: char| c.is_ascii_alphanumeric()));
        !well || named || (sign && !well_signed)
    })
}

#[test]
fn misspelt_citations_are_told_from_good_ones() {
    for good in [
        "// RFC 9051 §6.4.5",
        "// RFC 9051",
        "// (RFC 5321 §4.1.1.1, RFC 3207 §4)",
        "// RFC822.SIZE and RFC822",
        "// see `rfc5321.txt`",
        "// the RFCs' own examples",
        "// RFC 5234 §B.1",
        "no comment",
    ] {
        assert!(!misspelt(good), "{good}");
    }
    for bad in [
        "// RFC9051 §6.4.5",
        "// rfc 9051",
        "// RFC 9051 § 6.4.5",
        "// RFC 9051, section 6.4.5",
        "// RFC 9051§6.4",
        "// RFC-9051",
        "// RFC 9051 Section 6",
        "// RFC 9051, §6",
    ] {
        assert!(misspelt(bad), "{bad}");
    }
}
