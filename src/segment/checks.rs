//! Which options can never work? Modes, owners, and names under which segments are passed are
//! checked before anything is made.

use crate::error::OpenError;
use crate::platform::linux::Known;

/// The most bytes of a name that a segment is passed under.
const LONGEST_PASSED_NAME: usize = 100;

/// Accepts permission bits, and only those, that let the owner open the segment.
pub(super) fn mode(mode: u32) -> Result<(), OpenError> {
    if mode & !0o777 == 0 && mode & 0o600 == 0o600 {
        return Ok(());
    }
    Err(OpenError::InvalidOption(format!(
        "the mode {mode:#o} cannot be a segment's; expected are permission bits alone (at most 0o777), with which its owner may read and write (0o600)"
    )))
}

/// Accepts a user id that a user can have.
pub(super) fn user(user: u32) -> Result<(), OpenError> {
    if user != u32::MAX {
        return Ok(());
    }
    Err(OpenError::InvalidOption(format!("no user has the id {user}; give the user id of the segment's owner")))
}

/// Accepts a name that can be part of an environment variable's name.
pub(super) fn is_passed_name(name: &str) -> bool {
    (1..=LONGEST_PASSED_NAME).contains(&name.len()) && !name.contains(['=', '\0'])
}

/// Fails if the file's owner, `found`, is not the user `expected`.
pub(super) fn owner(found: u32, expected: u32) -> Result<(), OpenError> {
    if found != expected {
        return Err(OpenError::Owner { found, expected });
    }
    // A user namespace shows all users that it does not map under one id. There equal ids prove
    // nothing.
    if found == overflow_user() && !maps_every_user(&std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default())
    {
        return Err(OpenError::UnmappedOwner { found });
    }
    Ok(())
}

/// The id under which a user namespace shows all users that it does not map.
fn overflow_user() -> u32 {
    static KNOWN: Known = Known::not_yet();
    const DEFAULT: u32 = 65_534;
    let read = || std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok();
    match KNOWN.get(|| read().unwrap_or(0)) {
        0 => DEFAULT,
        user => u32::try_from(user).unwrap_or(DEFAULT),
    }
}

/// Whether this map of a user namespace gives every user their own id.
fn maps_every_user(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_full_identity_maps_every_user() {
        assert!(maps_every_user("         0          0 4294967295\n"));
        let others = ["", "0 0 1\n", "0 1000 4294967295", "0 100000 65536\n", "0 0 65534\n65535 65535 1\n"];
        assert!(others.iter().all(|map| !maps_every_user(map)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no /proc")]
    fn an_owner_is_equal_and_mapped() {
        assert!(owner(7, 7).is_ok());
        assert!(matches!(owner(7, 8), Err(OpenError::Owner { found: 7, expected: 8 })));
    }
}
