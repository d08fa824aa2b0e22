//! Makes a small PNG of a PNG or JPEG.
//!
//! Must not know queues or messages: it takes bytes and gives bytes.

use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageError, ImageFormat, ImageReader};

use chicory::task::progress;

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "examples:thumbnail/thumbnail",
    generate_all,
});

/// Pixels above which a picture is refused, before anything is allocated for it: 24 megapixels
/// need 96 MB of memory.
const MAX_PIXELS: u64 = 24_000_000;

struct Thumbnail;

export!(Thumbnail);

impl Guest for Thumbnail {
    fn resize(bytes: Vec<u8>, width: u32) -> Result<Picture, ResizeError> {
        if width == 0 {
            return Err(ResizeError::NoWidth);
        }
        check_size(&bytes)?;
        let picture = image::load_from_memory(&bytes).map_err(unreadable)?;
        progress::report(50.0, Some("decoded"));
        encode(&shrink(&picture, width))
    }
}

fn check_size(bytes: &[u8]) -> Result<(), ResizeError> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| unreadable(error.into()))?;
    let (width, height) = reader.into_dimensions().map_err(unreadable)?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ResizeError::TooLarge(format!(
            "the picture has {width} x {height} pixels; at most {MAX_PIXELS} pixels are accepted"
        )));
    }
    Ok(())
}

fn shrink(picture: &DynamicImage, width: u32) -> DynamicImage {
    if picture.width() <= width {
        return picture.clone();
    }
    picture.resize(width, u32::MAX, FilterType::Triangle)
}

fn encode(picture: &DynamicImage) -> Result<Picture, ResizeError> {
    let mut png = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .map_err(unreadable)?;
    Ok(Picture {
        width: picture.width(),
        height: picture.height(),
        png,
    })
}

fn unreadable(error: ImageError) -> ResizeError {
    ResizeError::Unreadable(error.to_string())
}
