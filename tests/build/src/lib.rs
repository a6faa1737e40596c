//! A copy of `examples/payments` that can be changed and built.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What went wrong with the test itself.
pub type Fail = Box<dyn Error>;

/// A package like `examples/payments`, in a directory of its own.
#[derive(Debug)]
pub struct Package {
    /// The package's name as well: cargo tells packages that share a target directory apart by it, and not by where they lie.
    name: &'static str,
    directory: PathBuf,
    target: PathBuf,
    root: PathBuf,
}

/// What cargo said of a build.
#[derive(Debug)]
pub struct Built {
    /// Whether it succeeded.
    pub well: bool,
    /// What it wrote.
    pub said: String,
}

impl Package {
    /// An unchanged copy, of a name that no other has.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn new(name: &'static str) -> Result<Self, Fail> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = target.join("tests/policy-build");
        let directory = target.join("packages").join(name);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let package = Self { name, directory, target, root };
        let example = package.root.join("examples/payments");
        for file in ["build.rs", "src/main.rs", "policies/payments.yaml", "policies/payments_test.yaml"] {
            package.write(file, &fs::read_to_string(example.join(file))?)?;
        }
        // The same versions as here; what this package does not need, cargo takes out.
        package.write("Cargo.lock", &fs::read_to_string(package.root.join("Cargo.lock"))?)?;
        package.write("Cargo.toml", &package.manifest())?;
        Ok(package)
    }

    fn manifest(&self) -> String {
        let path = |name: &str| self.root.join(name).display().to_string();
        format!(
            "[package]\nname = {:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[profile.dev]\ndebug = false\n\n\
             [dependencies]\nfuze-agent = {{ path = {:?}, features = [\"cerbos\"] }}\nschemars = \"1\"\nserde = {{ version = \"1\", \
             features = [\"derive\"] }}\nserde_json = \"1\"\ntokio = {{ version = \"1\", features = [\"rt-multi-thread\", \"macros\", \
             \"time\"] }}\n\n[build-dependencies]\nfuze-policy = {{ path = {:?}, features = [\"cerbos\"] }}\n",
            self.name,
            path("fuze-agent"),
            path("fuze-policy"),
        )
    }

    /// Writes a file of the package.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &str, text: &str) -> Result<(), Fail> {
        let path = self.directory.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, text)?)
    }

    /// Removes a file of the package.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, file: &str) -> Result<(), Fail> {
        Ok(fs::remove_file(self.directory.join(file))?)
    }

    /// Puts one text in the place of another, everywhere in a file.
    ///
    /// # Errors
    /// When the text is not there: then the test would test nothing.
    pub fn replace(&self, file: &str, from: &str, to: &str) -> Result<(), Fail> {
        let text = fs::read_to_string(self.directory.join(file))?;
        if !text.contains(from) {
            return Err(format!("`{file}` has no `{from}`").into());
        }
        self.write(file, &text.replace(from, to))
    }

    /// Runs `cargo check` on it. All packages share what they depend on.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub fn build(&self) -> Result<Built, Fail> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["check", "--offline", "--quiet", "--color=never", "--target-dir"])
            .arg(&self.target)
            .current_dir(&self.directory)
            // What a tool around the tests adds to each compilation is not what is tested.
            .env_remove("RUSTFLAGS")
            .output()?;
        Ok(Built { well: output.status.success(), said: String::from_utf8(output.stderr)? })
    }
}
