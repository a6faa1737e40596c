//! CRC-32 as zip has it: ISO 3309, reflected, polynomial 0xEDB88320. Finds accidents, proves nothing.

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where it would be an error")]
const TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

#[derive(Clone, Copy)]
pub(crate) struct Crc(u32);

impl Crc {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = self.0 >> 8 ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        }
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_of_the_catalogue() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc.value(), 0xcbf4_3926);
        assert_eq!(Crc::new().value(), 0);
    }
}
