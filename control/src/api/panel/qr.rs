//! A text as a picture that an authenticator reads. Made here, so that no secret goes through a library of the page.

use std::fmt::Write as _;

use csp_shared::secret::Secret;
use qrcodegen::{QrCode, QrCodeEcc};

/// Empty modules around it, as the standard (ISO/IEC 18004) asks for.
const MARGIN: i32 = 4;

/// An SVG, black on white whatever the page looks like; None when the text is too long for a QR code.
pub fn svg(text: &Secret) -> Option<Secret> {
    let code = QrCode::encode_text(text.reveal(), QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing to a text cannot fail.
            let _ = write!(path, "M{},{}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    Some(Secret::new(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_modules_of_the_code_and_a_margin() {
        let text = Secret::new("otpauth://totp/a:b?secret=MZXW6".to_owned());
        let code = QrCode::encode_text(text.reveal(), QrCodeEcc::Medium).unwrap();
        let picture = svg(&text).unwrap();
        let dark = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        let dark = dark.filter(|(x, y)| code.get_module(*x, *y)).count();
        assert_eq!(picture.reveal().matches('M').count(), dark);
        // The corner of a finder is dark.
        assert!(picture.reveal().contains("d=\"M4,4h1v1h-1z"), "{}", picture.reveal());
        assert!(svg(&Secret::new("x".repeat(5000))).is_none());
    }
}
