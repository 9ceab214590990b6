//! A folder that someone else fills, as a source.

use super::{BlobSource, ByteStream, SourceError};
use crate::id::BlobId;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{stream, StreamExt};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{fs::File, io::AsyncReadExt};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// A folder of files named by the hashes of their contents.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The folder `dir`; it may come into being later.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
}

#[async_trait]
impl BlobSource for Folder {
    fn name(&self) -> String {
        self.dir.display().to_string()
    }

    async fn fetch(&self, id: &BlobId) -> Result<ByteStream, SourceError> {
        let (size, content) = open(&self.dir.join(id.hash.to_string()))
            .await?
            .ok_or(SourceError::NotFound)?;
        if size > id.size {
            return Err(SourceError::TooLarge { expected: id.size });
        }
        Ok(content.map(|chunk| chunk.map_err(SourceError::Io)).boxed())
    }
}

/// Length and content of the file at `path`, if there is one.
pub(crate) async fn open(
    path: &Path,
) -> io::Result<Option<(u64, impl stream::Stream<Item = io::Result<Bytes>> + Send + 'static)>> {
    let file = match File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let content = stream::try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let length = file.read_buf(&mut chunk).await?;
        Ok((length > 0).then(|| (chunk.freeze(), file)))
    });
    Ok(Some((metadata.len(), content)))
}
