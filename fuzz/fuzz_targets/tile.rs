//! What a log serves: paths of tiles, tiles of hashes, bundles of entries. The first octet picks the width, less one.
#![no_main]

use std::str::FromStr as _;

use fuze_log::tile::{TilePath, read_bundle, read_hashes, write_bundle, write_hashes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(path) =
        std::str::from_utf8(octets).map_err(drop).and_then(|text| TilePath::from_str(text).map_err(drop))
    {
        assert_eq!(path.to_string().as_bytes(), octets);
    }
    let Some((&width, rest)) = octets.split_first() else { return };
    let width = u16::from(width) + 1;
    if let Ok(entries) = read_bundle(rest, width) {
        assert_eq!(entries.len(), usize::from(width));
        assert_eq!(write_bundle(&entries).expect("it was read"), rest);
    }
    if let Ok(hashes) = read_hashes(rest, width) {
        assert_eq!(hashes.len(), usize::from(width));
        assert_eq!(write_hashes(&hashes), rest);
    }
});
