//! What a process did to the files below a directory, as `strace` saw it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The calls to record. Whatever changes a file in another way is asked for, too, so that it cannot be overlooked.
pub(crate) const CALLS: &str = "openat,open,creat,close,dup,dup2,dup3,read,readv,lseek,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,\
    sync,syncfs,sync_file_range,ftruncate,truncate,fallocate,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,\
    symlink,symlinkat,copy_file_range,sendfile,splice";

/// A file for as long as it lives, whatever its name is.
pub(crate) type File = usize;

/// One step. Names are below the directory; the directory itself is the empty name.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Directory(PathBuf),
    Create(PathBuf, File),
    /// Of a file or a directory.
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
    Write {
        file: File,
        at: usize,
        octets: Vec<u8>,
    },
    Length(File, usize),
    Sync(File),
    SyncDirectory(PathBuf),
    /// A line on standard output: an acknowledgement.
    Said(String),
}

#[derive(Clone)]
enum Open {
    File { file: File, append: bool, at: usize },
    Directory(PathBuf),
    Elsewhere,
}

struct Reader<'r> {
    root: &'r Path,
    names: BTreeMap<PathBuf, File>,
    lengths: Vec<usize>,
    open: BTreeMap<i64, Open>,
    steps: Vec<Step>,
}

/// Reads what `strace -f -y -xx` wrote.
pub(crate) fn read(trace: &str, root: &Path) -> Vec<Step> {
    let open = BTreeMap::from([(1, Open::Elsewhere)]);
    let mut reader = Reader { root, names: BTreeMap::new(), lengths: Vec::new(), open, steps: Vec::new() };
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let whole = if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, begun.trim_end().to_owned());
            continue;
        } else if call.starts_with("<...") {
            let (_, rest) = call.split_once("resumed>").expect("what is resumed");
            unfinished.remove(thread).expect("what was not finished") + rest
        } else {
            call.to_owned()
        };
        // A signal, an exit, or a call that the process ended in.
        let Some((call, result)) = whole.rsplit_once(" = ") else { continue };
        let Some((name, arguments)) = call.split_once('(') else { continue };
        let result = result.split(['<', ' ']).next().and_then(|number| number.parse().ok()).unwrap_or(-1);
        if result >= 0 {
            let arguments = arguments.trim_end().strip_suffix(')').expect("a call");
            reader.call(name, &arguments.split(", ").collect::<Vec<_>>(), result);
        }
    }
    reader.steps
}

/// `"\x41\x42"`, or what stands in `3<\x41\x42>`.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<&str> = hex.trim_matches('"').split("\\x").skip(1).collect();
    digits.iter().map(|digits| u8::from_str_radix(digits, 16).expect("hex")).collect()
}

fn descriptor(argument: &str) -> i64 {
    argument.split('<').next().and_then(|number| number.parse().ok()).expect("a descriptor")
}

fn number(argument: &str) -> usize {
    argument.parse().expect("a number")
}

impl Reader<'_> {
    fn below(&self, name: &str) -> Option<PathBuf> {
        self.below_in("", name)
    }

    /// A name that is looked up from `directory`, which is `3</a/directory>` or `AT_FDCWD</another>`.
    fn below_in(&self, directory: &str, name: &str) -> Option<PathBuf> {
        let text = |hex: &str| String::from_utf8(octets(hex)).expect("a name");
        let from = directory.split_once('<').map(|(_, from)| text(from.trim_end_matches('>')));
        let path = Path::new(&from.unwrap_or_default()).join(text(name));
        assert!(path.is_absolute(), "{}", path.display());
        path.strip_prefix(self.root).ok().map(Path::to_owned)
    }

    fn file(&self, descriptor: &str) -> Option<(File, bool, usize)> {
        match self.open.get(&self::descriptor(descriptor)) {
            Some(Open::File { file, append, at }) => Some((*file, *append, *at)),
            _ => None,
        }
    }

    fn write(&mut self, file: File, at: usize, octets: Vec<u8>) {
        let length = self.lengths.get_mut(file).expect("a file");
        *length = (*length).max(at + octets.len());
        self.steps.push(Step::Write { file, at, octets });
    }

    fn length(&mut self, file: File, length: usize) {
        *self.lengths.get_mut(file).expect("a file") = length;
        self.steps.push(Step::Length(file, length));
    }

    fn moved(&mut self, descriptor: i64, to: usize) {
        if let Some(Open::File { at, .. }) = self.open.get_mut(&descriptor) {
            *at = to;
        }
    }

    fn call(&mut self, name: &str, arguments: &[&str], result: i64) {
        let size = usize::try_from(result).expect("not an error");
        match (name, arguments) {
            ("openat", [directory, name, flags, ..]) => {
                let open = self.opened(self.below_in(directory, name), flags);
                self.open.insert(result, open);
            }
            ("close", [open]) => {
                self.open.remove(&descriptor(open));
            }
            ("lseek", [open, ..]) => self.moved(descriptor(open), size),
            ("read", [open, ..]) => {
                if let Some((_, _, at)) = self.file(open) {
                    self.moved(descriptor(open), at + size);
                }
            }
            ("write", [open, text, ..]) if descriptor(open) == 1 => {
                let text = String::from_utf8(octets(text)).expect("text");
                self.steps.push(Step::Said(text));
            }
            ("write", [open, text, ..]) => {
                if let Some((file, append, at)) = self.file(open) {
                    let at = if append { *self.lengths.get(file).expect("a file") } else { at };
                    self.write(file, at, octets(text).into_iter().take(size).collect());
                    self.moved(descriptor(open), at + size);
                }
            }
            ("pwrite64", [open, text, _, at]) => {
                if let Some((file, ..)) = self.file(open) {
                    self.write(file, number(at), octets(text).into_iter().take(size).collect());
                }
            }
            ("ftruncate", [open, length]) => {
                if let Some((file, ..)) = self.file(open) {
                    self.length(file, number(length));
                }
            }
            ("fsync" | "fdatasync", [open]) => match self.open.get(&descriptor(open)) {
                Some(Open::File { file, .. }) => self.steps.push(Step::Sync(*file)),
                Some(Open::Directory(name)) => self.steps.push(Step::SyncDirectory(name.clone())),
                _ => {}
            },
            ("mkdir", [name, ..]) => {
                self.steps.extend(self.below(name).map(Step::Directory));
            }
            ("unlink" | "rmdir", [name]) => self.unlinked(self.below(name)),
            ("unlinkat", [directory, name, _]) => self.unlinked(self.below_in(directory, name)),
            ("rename", [from, to]) => {
                let (Some(from), Some(to)) = (self.below(from), self.below(to)) else { return };
                assert_eq!(from.parent(), to.parent(), "a rename into another directory");
                let file = self.names.remove(&from).expect("a file is renamed");
                self.names.insert(to.clone(), file);
                self.steps.push(Step::Rename(from, to));
            }
            // Everything else that was asked for changes files, and nobody has taught this reader how.
            _ => {
                let here = octets_of(self.root);
                assert!(!arguments.iter().any(|argument| argument.contains(&here)), "{name} {arguments:?}");
            }
        }
    }

    fn unlinked(&mut self, name: Option<PathBuf>) {
        if let Some(name) = name {
            self.names.remove(&name);
            self.steps.push(Step::Unlink(name));
        }
    }

    fn opened(&mut self, name: Option<PathBuf>, flags: &str) -> Open {
        let Some(name) = name else { return Open::Elsewhere };
        let flags: Vec<&str> = flags.split('|').collect();
        let has = |flag| flags.contains(&flag);
        assert!(!has("O_TMPFILE"), "a file without a name");
        let file = match self.names.get(&name) {
            Some(&file) => file,
            None if has("O_CREAT") => {
                let file = self.lengths.len();
                self.lengths.push(0);
                self.names.insert(name.clone(), file);
                self.steps.push(Step::Create(name, file));
                file
            }
            None => return Open::Directory(name),
        };
        if has("O_TRUNC") {
            self.length(file, 0);
        }
        Open::File { file, append: has("O_APPEND"), at: 0 }
    }
}

/// A path as `strace -xx` writes it.
fn octets_of(path: &Path) -> String {
    path.to_string_lossy().bytes().map(|octet| format!("\\x{octet:02x}")).collect()
}
