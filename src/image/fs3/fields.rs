//! Numbers and texts at fixed places of a section; 0 or nothing where the
//! section is too short.

/// A section to read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        self.0
            .get(at..)
            .and_then(|bytes| bytes.first_chunk::<N>())
            .copied()
            .unwrap_or([0; N])
    }

    pub(super) fn byte(self, at: usize) -> u8 {
        u8::from_be_bytes(self.array(at))
    }

    pub(super) fn word(self, at: usize) -> u16 {
        u16::from_be_bytes(self.array(at))
    }

    pub(super) fn dword(self, at: usize) -> u32 {
        u32::from_be_bytes(self.array(at))
    }

    pub(super) fn qword(self, at: usize) -> u64 {
        u64::from_be_bytes(self.array(at))
    }

    /// A text that ends with a zero byte or after `length` bytes; what is not
    /// UTF-8 is replaced. `None` when it is empty.
    pub(super) fn text(self, at: usize, length: usize) -> Option<String> {
        let bytes = self.0.get(at..).unwrap_or_default();
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    pub(super) fn is_blank(self, from: usize, to: usize) -> bool {
        let bytes = self.0.get(from..).unwrap_or_default();
        let bytes = bytes.get(..to.saturating_sub(from)).unwrap_or(bytes);
        bytes.iter().all(|&byte| byte == 0)
    }

    pub(super) fn bytes(self, from: usize, to: usize) -> &'a [u8] {
        self.0.get(from..to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_there_is_nothing() {
        let fields = Fields(b"\x12\x34ab\0c");
        assert_eq!((fields.byte(0), fields.word(0)), (0x12, 0x1234));
        assert_eq!((fields.dword(4), fields.qword(usize::MAX)), (0, 0));
        assert_eq!(fields.text(2, 16).as_deref(), Some("ab"));
        assert_eq!(fields.text(2, 1).as_deref(), Some("a"));
        assert_eq!(fields.text(4, 16), None);
        assert!(fields.is_blank(4, 5) && !fields.is_blank(4, 6) && fields.is_blank(9, 20));
    }
}
