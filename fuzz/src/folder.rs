//! Files for what reads files: in memory, where the system has such a place.

use std::path::{Path, PathBuf};

/// A folder of this process, which is not removed: the next run of the same id takes it over.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it.
    pub fn new(target: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.into()
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("assay-fuzz-{target}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("there is room for files; qed");
        Self(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, or removes it if there is to be none.
    pub fn put(&self, name: &str, content: Option<&[u8]>) {
        let path = self.0.join(name);
        match content {
            Some(content) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).expect("there is room for files; qed");
                }
                std::fs::write(path, content).expect("there is room for files; qed");
            }
            None => drop(std::fs::remove_file(path)),
        }
    }
}
