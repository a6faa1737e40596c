//! Keys in memory: for tests and for runs that leave nothing behind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use super::{Person, SubjectKey, SubjectKeyError, SubjectKeys};
use crate::crypto::Secret;
use crate::keys::fresh;
use crate::name::Name;
use crate::random::OsRandom;

/// A key, and whose it is. In memory that only this process reads, the reference needs no HMAC.
struct Kept {
    secret: Secret,
    tenant: Name,
    reference: String,
}

/// Keys in memory: for tests and for runs that leave nothing behind.
#[derive(Default)]
pub struct MemorySubjectKeys(Mutex<BTreeMap<Name, Kept>>);

impl fmt::Debug for MemorySubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemorySubjectKeys")
    }
}

impl MemorySubjectKeys {
    fn locked(&self) -> Result<MutexGuard<'_, BTreeMap<Name, Kept>>, SubjectKeyError> {
        self.0.lock().map_err(|_| SubjectKeyError::Store("a thread panicked while it held the keys".into()))
    }
}

impl SubjectKeys for MemorySubjectKeys {
    fn create(&self, alias: &Name, person: Person<'_>) -> Result<SubjectKey, SubjectKeyError> {
        let secret = fresh(&mut OsRandom::new()).map_err(SubjectKeyError::Random)?;
        let mut keys = self.locked()?;
        if keys.contains_key(alias) {
            return Err(SubjectKeyError::Exists { alias: alias.clone() });
        }
        let kept = Kept {
            secret: secret.clone(),
            tenant: person.tenant.clone(),
            reference: person.reference.to_owned(),
        };
        keys.insert(alias.clone(), kept);
        Ok(SubjectKey(secret))
    }

    fn find(&self, alias: &Name) -> Result<Option<SubjectKey>, SubjectKeyError> {
        Ok(self.locked()?.get(alias).map(|kept| SubjectKey(kept.secret.clone())))
    }

    fn aliases(&self, person: Person<'_>) -> Result<Vec<Name>, SubjectKeyError> {
        let keys = self.locked()?;
        let own = keys
            .iter()
            .filter(|(_, kept)| kept.tenant == *person.tenant && kept.reference == person.reference);
        Ok(own.map(|(alias, _)| alias.clone()).collect())
    }

    fn erase(&self, alias: &Name) -> Result<(), SubjectKeyError> {
        self.locked()?.remove(alias);
        Ok(())
    }
}
