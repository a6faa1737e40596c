//! Which files of a directory are policies, as Cerbos's disk store sees it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::problem::{Collector, Position, Problems};

/// The directory of the schemas, at the root of a policy directory.
pub const SCHEMAS: &str = "_schemas";
/// Directories of this name hold what tests need.
const TEST_DATA: &str = "testdata";

/// At most so many files are read: a policy set is reviewed by people.
const MOST_FILES: usize = 20_000;
/// At most so many directories in one another.
const DEEPEST: usize = 64;
/// Bytes of a file that are read.
const LARGEST: u64 = 1 << 20;
/// Bytes of all files together.
const LARGEST_SET: usize = 64 << 20;

/// A file of a policy set, by its path relative to the directory, `/` between its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path.
    pub path: Arc<str>,
    /// What stands in it.
    pub text: String,
}

impl Source {
    /// A file that is not on a disk.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }
}

/// What a path means in a policy directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A policy.
    Policy,
    /// A JSON schema.
    Schema,
    /// A test suite, `*_test.yaml`.
    Test,
    /// Nothing of the three.
    Other,
}

/// What a path, relative to the policy directory and with `/` between its parts, means. In `_schemas` a file is a schema, whatever it is
/// called; to `cerbos compile` it may be a suite as well.
#[must_use]
pub fn kind_of(path: &str) -> FileKind {
    if let Some(within) = path.strip_prefix(SCHEMAS).and_then(|rest| rest.strip_prefix('/')) {
        let schema = !is_hidden(within) && split(within).is_some_and(|(_, extension)| extension == "json");
        return if schema { FileKind::Schema } else { FileKind::Other };
    }
    if is_suite(path) {
        return FileKind::Test;
    }
    let policy = !is_hidden(path) && !is_test_data(path) && split(path).is_some();
    if policy { FileKind::Policy } else { FileKind::Other }
}

/// Whether `cerbos compile` runs it as a suite, as it does also where policies are not looked for: in hidden directories, among schemas.
fn is_suite(path: &str) -> bool {
    !is_test_data(path) && split(path).is_some_and(|(stem, _)| stem.ends_with("_test"))
}

fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

fn is_test_data(path: &str) -> bool {
    path.split('/').any(|part| part == TEST_DATA)
}

/// A path without its ending, and the ending, both in small letters; nothing if it is no ending of YAML or JSON.
pub(crate) fn split(path: &str) -> Option<(String, String)> {
    let path = path.to_lowercase();
    let (stem, extension) = path.rsplit_once('.')?;
    matches!(extension, "yaml" | "yml" | "json").then(|| (stem.to_owned(), extension.to_owned()))
}

/// A policy directory as it was read.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Policies, in the order of their paths.
    pub policies: Vec<Source>,
    /// Schemas; their paths are relative to `_schemas`.
    pub schemas: Vec<Source>,
    /// Test suites.
    pub tests: Vec<Source>,
}

/// Reads a policy directory: `testdata`, what is no YAML or JSON, and hidden files that are no test suites are left out.
///
/// # Errors
/// When a file cannot be read, is not UTF-8, is a link, or exceeds a limit; when `_schemas` stands elsewhere than at the root.
pub fn read_directory(directory: &Path) -> Result<Files, Problems> {
    let mut out = Collector::default();
    let mut files = Files::default();
    walk(directory, "", 0, &mut files, &mut SoFar::default(), &mut out);
    for list in [&mut files.policies, &mut files.schemas, &mut files.tests] {
        list.sort_by(|a, b| a.path.cmp(&b.path));
    }
    out.into_result(files)
}

/// What was read so far.
#[derive(Default)]
struct SoFar {
    files: usize,
    bytes: usize,
}

fn walk(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Files,
    so_far: &mut SoFar,
    out: &mut Collector,
) {
    if depth > DEEPEST {
        return complain(out, prefix, format!("directories are more than {DEEPEST} deep"));
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return complain(out, prefix, format!("the directory cannot be read: {error}")),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return complain(out, prefix, format!("the directory cannot be read: {error}")),
        };
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            complain(out, prefix, format!("the name of `{}` is not UTF-8", name.display()));
            continue;
        };
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                complain(out, &path, format!("it cannot be read: {error}"));
                continue;
            }
        };
        // Cerbos follows the link of a file and passes over that of a directory, and with it what is denied there.
        if kind.is_symlink() {
            let message = "it is a link: put the file or directory itself here, so that the set is complete";
            complain(out, &path, message.to_owned());
            continue;
        }
        if kind.is_dir() {
            if name == TEST_DATA && !path.starts_with(SCHEMAS) {
                continue;
            }
            if name == SCHEMAS && !prefix.is_empty() && !is_hidden(prefix) {
                complain(out, &path, format!("`{SCHEMAS}` must stand at the root of the policy directory"));
                continue;
            }
            walk(&entry.path(), &path, depth + 1, files, so_far, out);
            continue;
        }
        let what = kind_of(&path);
        if what == FileKind::Other && !is_suite(&path) {
            continue;
        }
        if !kind.is_file() {
            // To read a pipe waits for whoever writes.
            complain(out, &path, "it is no file".to_owned());
            continue;
        }
        so_far.files += 1;
        if so_far.files > MOST_FILES {
            return complain(out, prefix, format!("there are more than {MOST_FILES} files"));
        }
        match read_file(&entry.path()) {
            Ok(text) => {
                so_far.bytes += text.len();
                if so_far.bytes > LARGEST_SET {
                    let message =
                        format!("the files up to this one have more than {LARGEST_SET} bytes together");
                    return complain(out, &path, message);
                }
                if is_suite(&path) {
                    files.tests.push(Source::new(&path, &text));
                }
                match what {
                    FileKind::Policy => files.policies.push(Source { path: path.into(), text }),
                    FileKind::Schema => {
                        let path = path.strip_prefix(&format!("{SCHEMAS}/")).unwrap_or(&path);
                        files.schemas.push(Source { path: path.into(), text });
                    }
                    FileKind::Test | FileKind::Other => {}
                }
            }
            Err(why) => complain(out, &path, why),
        }
    }
}

fn complain(out: &mut Collector, path: &str, message: String) {
    out.add(&if path.is_empty() { ".".into() } else { path.into() }, Position::START, message);
}

/// What stands in a file of a policy directory.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    // One more than allowed: how long a file is, only reading it says for sure.
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("the file has more than {LARGEST} bytes, and no more are read"));
    }
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_read_wherever_cerbos_compile_finds_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut suites =
            [".x/_schemas/a_test.yaml", ".x/b_TEST.json", "_schemas/c_test.json", "_schemas/d_test.yml"];
        for path in
            suites.into_iter().chain([".x/e.yaml", "_schemas/testdata/f_test.json", "testdata/g_test.yaml"])
        {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let files = read_directory(directory.path()).unwrap();
        let paths = |of: &[Source]| of.iter().map(|source| source.path.to_string()).collect::<Vec<_>>();
        suites.sort_unstable();
        assert_eq!(paths(&files.tests), suites);
        assert_eq!(paths(&files.schemas), ["c_test.json", "testdata/f_test.json"]);
        assert!(files.policies.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_of_every_kind_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("a.yaml"), "{}").unwrap();
        let links = ["_schemas", "a.yaml", "dangling", "deny", "testdata"];
        for link in links {
            let to = if link == "a.yaml" { elsewhere.path().join(link) } else { elsewhere.path().to_owned() };
            let to = if link == "dangling" { to.join("nothing") } else { to };
            std::os::unix::fs::symlink(to, directory.path().join(link)).unwrap();
        }
        let problems = read_directory(directory.path()).unwrap_err();
        let told: Vec<_> = problems.all().iter().map(|problem| problem.place.file.to_string()).collect();
        assert_eq!(told, links);
        assert!(problems.all().iter().all(|problem| problem.message.starts_with("it is a link")));
    }

    #[test]
    fn what_is_a_policy() {
        for (path, kind) in [
            ("a.yaml", FileKind::Policy),
            ("a/b.YML", FileKind::Policy),
            ("a.json", FileKind::Policy),
            ("a.txt", FileKind::Other),
            ("yaml", FileKind::Other),
            (".a.yaml", FileKind::Other),
            (".git/a.yaml", FileKind::Other),
            ("a/.b/c.yaml", FileKind::Other),
            ("testdata/a.yaml", FileKind::Other),
            ("a/testdata/b.yaml", FileKind::Other),
            ("a/testdata_/b.yaml", FileKind::Policy),
            ("a_test.yaml", FileKind::Test),
            ("a_TEST.json", FileKind::Test),
            ("_schemas/a.json", FileKind::Schema),
            ("_schemas/x/a.json", FileKind::Schema),
            ("_schemas/testdata/a.json", FileKind::Schema),
            ("_schemas/a.yaml", FileKind::Other),
            ("_schemas/.a.json", FileKind::Other),
            ("_schemas/a_test.json", FileKind::Schema),
            ("_schemas/a_test.yaml", FileKind::Other),
            (".a_test.yaml", FileKind::Test),
            (".x/_test.json", FileKind::Test),
            (".x/testdata/a_test.json", FileKind::Other),
            ("a.json/b", FileKind::Other),
        ] {
            assert_eq!(kind_of(path), kind, "{path}");
        }
    }
}
