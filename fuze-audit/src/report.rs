//! The report for people: one HTML file without scripts and without anything from elsewhere, made from what stands in the
//! bundle. Deterministic. It shows; it proves nothing that the other members do not.

mod around;
mod decisions;
mod html;
mod outline;
pub mod scale;
mod sections;
mod timeline;
pub mod words;

pub use outline::{Outline, Row};

use fuze_evidence::Timestamp;
use fuze_evidence::sign::KeyId;

use crate::verify::Inspected;
use html::Page;

/// What the report says about its own bundle.
pub(crate) struct Made {
    pub(crate) exported_at: Timestamp,
    pub(crate) maker: KeyId,
}

/// The report as it stands in a bundle.
pub(crate) fn html(outline: &Outline, inspected: &Inspected, made: &Made) -> String {
    let story = outline.story();
    let mut page = Page::new();
    sections::head(&mut page, outline, inspected);
    page.open("main");
    sections::verdict(&mut page, outline, inspected);
    sections::findings(&mut page, outline, inspected);
    decisions::people(&mut page, outline, &story, &inspected.reasons);
    timeline::section(&mut page, outline, &story);
    decisions::others(&mut page, outline, &story);
    sections::facts(&mut page, outline, inspected, made);
    sections::records(&mut page, outline, &story);
    around::log(&mut page, inspected);
    around::annex(&mut page, outline, inspected);
    around::keys(&mut page, inspected);
    sections::checked(&mut page, inspected, made);
    sections::limits(&mut page);
    page.close("main");
    page.finish()
}
