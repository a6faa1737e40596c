//! What SQLite and the file system say, in the store's words. Decides nothing.

use std::io;
use std::path::Path;

use fuze_agent::store::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// A failure of SQLite.
pub(crate) fn sql(error: rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match &error {
        E::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Locked,
            ErrorCode::DiskFull => StoreError::Full,
            // The shared memory file could not be made longer: a full disk, in another place.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(error.to_string()),
            ErrorCode::ConstraintViolation => StoreError::Rejected(error.to_string()),
            _ => StoreError::Io(error.to_string()),
        },
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => {
            StoreError::Corrupt(error.to_string())
        }
        _ => StoreError::Io(error.to_string()),
    }
}

/// A failure of the file system at `path`.
pub(crate) fn io(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full
        }
        _ => StoreError::Io(format!("`{}`: {error}", path.display())),
    }
}

/// What the store holds makes no sense.
pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt(what.into())
}

/// What was asked for makes no sense.
pub(crate) fn rejected(what: impl Into<String>) -> StoreError {
    StoreError::Rejected(what.into())
}
