//! The temporary directory that holds everything the servers write.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::account::Account;
use crate::error::{Error, Result};

/// Removed with all its content when dropped.
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn create() -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let parent = std::env::temp_dir();
        for attempt in 0..100 {
            let name = format!("optlock-{}-{}", std::process::id(), now.subsec_nanos() + attempt);
            let path = parent.join(name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let directory = Self { path };
                    // The servers' users have to pass through it, whatever our umask says.
                    set_mode(&directory.path, 0o755)?;
                    return Ok(directory);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::while_doing(format_args!("create {}", path.display()))(error));
                }
            }
        }
        Err(Error::new(format!(
            "found no free name for a directory in {}",
            parent.display()
        )))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The id of the user who created it: us.
    pub(super) fn owner(&self) -> Result<u32> {
        let metadata =
            fs::metadata(&self.path).map_err(Error::while_doing(format_args!("read {}", self.path.display())))?;
        Ok(metadata.uid())
    }

    /// A directory inside, which only `account` can read.
    pub(super) fn subdirectory(&self, name: &str, account: &Account) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(Error::while_doing(format_args!("create {}", path.display())))?;
        set_mode(&path, 0o700)?;
        account.take_over(&path)?;
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            Error::while_doing(format_args!("remove {}", self.path.display()))(error).report();
        }
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::while_doing(format_args!(
        "set the permissions of {}",
        path.display()
    )))
}
