//! The form in which a whole directory is one fuzz input: per file the length
//! of its name (1 byte), the name, the length of its content (4 bytes, least
//! significant first), the content. A file that is cut off has what is there,
//! so that every input is an archive.

/// A file: its name and its content.
pub type File = (String, Vec<u8>);

/// Most files that are unpacked.
const MAX_FILES: usize = 64;

/// The files in `data`.
pub fn unpack(mut data: &[u8]) -> Vec<File> {
    let mut files = Vec::new();
    while let Some((&len, rest)) = data.split_first()
        && files.len() < MAX_FILES
    {
        let (name, rest) = cut(rest, usize::from(len));
        let (size, rest) = cut(rest, 4);
        let mut bytes = [0; 4];
        for (to, from) in bytes.iter_mut().zip(size) {
            *to = *from;
        }
        let size = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let (content, rest) = cut(rest, size);
        files.push((String::from_utf8_lossy(name).into_owned(), content.to_vec()));
        data = rest;
    }
    files
}

fn cut(data: &[u8], at: usize) -> (&[u8], &[u8]) {
    data.split_at(at.min(data.len()))
}

/// The archive of `files`. Names and contents that are too long for their
/// length fields are cut off.
pub fn pack<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut data = Vec::new();
    for (name, content) in files {
        let (name, _) = cut(name.as_bytes(), usize::from(u8::MAX));
        let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
        data.extend(u8::try_from(name.len()).ok());
        data.extend_from_slice(name);
        data.extend_from_slice(&len.to_le_bytes());
        data.extend_from_slice(content);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_an_archive() {
        assert!(unpack(&[]).is_empty());
        let cut_off = unpack(b"\x03ab");
        assert_eq!(cut_off, [("ab".to_owned(), Vec::new())]);
        let too_long = unpack(b"\x01a\xff\xff\xff\xffxyz");
        assert_eq!(too_long, [("a".to_owned(), b"xyz".to_vec())]);
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let files = [("one", &b"1"[..]), ("two", b""), ("", b"three")];
        let unpacked = unpack(&pack(files));
        let unpacked: Vec<_> = unpacked.iter().map(|(n, c)| (&n[..], &c[..])).collect();
        assert_eq!(unpacked, files);
    }
}
