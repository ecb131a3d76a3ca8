//! Images of a study: PNG or JPEG by their content, with their size in pixels.

/// The most bytes of an image.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The most pixels of an image: a megabyte of PNG can unpack to gigabytes, which a browser would have to hold.
const MAX_PIXELS: u64 = 25_000_000;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];

/// An image's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Reads an image's head.
    ///
    /// # Errors
    /// Another kind of file, a file that is too large, a head that cannot be read.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err("has more than 1 MB: save it smaller, or as JPEG".to_owned());
        }
        let (media_type, size) = if bytes.starts_with(PNG) {
            ("image/png", png_size(&bytes))
        } else if bytes.starts_with(JPEG) {
            ("image/jpeg", jpeg_size(&bytes))
        } else {
            return Err("is neither a PNG nor a JPEG by its content: save it as one of them".to_owned());
        };
        match size.filter(|(width, height)| *width > 0 && *height > 0) {
            None => Err("is damaged: its width and height cannot be read".to_owned()),
            Some((width, height)) if u64::from(width) * u64::from(height) > MAX_PIXELS => Err(format!(
                "has {width} x {height} pixels, more than {} million: save it smaller",
                MAX_PIXELS / 1_000_000
            )),
            Some((width, height)) => Ok(Self { media_type, width, height, bytes }),
        }
    }

    /// Whether a file's name has an ending of this kind of image.
    pub fn fits(&self, file: &str) -> bool {
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match self.media_type {
            "image/png" => ending == "png",
            _ => ending == "jpg" || ending == "jpeg",
        }
    }
}

/// Width and height from the first chunk, which must be IHDR (PNG, third edition, 5.6).
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let is_head = bytes.get(8..16)? == b"\0\0\0\x0dIHDR";
    is_head.then_some((number(16)?, number(20)?))
}

/// Width and height from the first frame header (ITU-T T.81, B.2.2), which other segments may precede.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            // A marker may have any number of fill bytes before it.
            0xff => at += 1,
            // Markers without a length.
            0x01 | 0xd0..=0xd7 => at += 2,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((number(at + 7)?.into(), number(at + 5)?.into()));
            }
            // The compressed data, which no frame header may follow, the end, or another image.
            0xd8..=0xda => return None,
            _ => at += 2 + usize::from(number(at + 2)?.max(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        [PNG, b"\0\0\0\x0dIHDR", &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\0\0\0\0"].concat()
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let frame = [b"\xff\xc0\0\x11\x08".as_slice(), &height.to_be_bytes(), &width.to_be_bytes(), b"\x03"].concat();
        [b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff".as_slice(), &frame].concat()
    }

    #[test]
    fn kind_and_size_come_from_the_content() {
        let read = |bytes| Picture::read(bytes).map(|p| (p.media_type, p.width, p.height));
        assert_eq!(read(png(640, 480)), Ok(("image/png", 640, 480)));
        assert_eq!(read(jpeg(640, 480)), Ok(("image/jpeg", 640, 480)));
        let picture = Picture::read(png(1, 1)).unwrap();
        assert!(picture.fits("a.PNG") && !picture.fits("a.jpg") && !picture.fits("png"));
    }

    /// Markers without a length do not hide the real frame behind a false one.
    #[test]
    fn a_jpegs_size_is_that_of_its_frame() {
        let whole = jpeg(640, 480);
        for marker in [0x01, 0xd0, 0xd7] {
            // As a length, the two bytes after the marker would lead past the frame.
            let with = [&whole[..2], &[0xff, marker], &whole[2..]].concat();
            assert_eq!(Picture::read(with).map(|p| (p.width, p.height)), Ok((640, 480)), "{marker:x}");
        }
        assert!(Picture::read([&whole[..2], b"\xff\xd8", &whole[2..]].concat()).is_err());
    }

    #[test]
    fn other_files_are_refused() {
        let refused = |bytes: Vec<u8>| Picture::read(bytes).expect_err("refused");
        for (bytes, part) in [
            (b"<svg onload='alert(1)'/>".to_vec(), "neither a PNG nor a JPEG"),
            (b"GIF89a".to_vec(), "neither"),
            (Vec::new(), "neither"),
            (png(0, 5), "damaged"),
            (PNG.to_vec(), "damaged"),
            (png(5, 5)[..20].to_vec(), "damaged"),
            (JPEG.to_vec(), "damaged"),
            ([JPEG, &[0xff; 1000]].concat(), "damaged"),
            ([JPEG, b"\xe0\0\0\xff\xe0\0\0"].concat(), "damaged"),
            (jpeg(5, 5)[..24].to_vec(), "damaged"),
            (b"\xff\xd8\xff\xda\0\x02\xff\xc0\0\x11\x08\0\x01\0\x01".to_vec(), "damaged"),
            (png(60_000, 60_000), "pixels"),
            (vec![0; MAX_BYTES + 1], "more than 1 MB"),
        ] {
            let message = refused(bytes.clone());
            assert!(message.contains(part), "{:?}: {message}", &bytes[..bytes.len().min(24)]);
        }
    }
}
