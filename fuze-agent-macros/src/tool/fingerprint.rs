//! A hash of what the author wrote. White space, and where the file stands, do not change it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// Hex SHA-256 of the attribute's and the function's tokens.
pub(crate) fn of(attribute: &TokenStream, item: &TokenStream) -> String {
    let mut hash = Sha256::new();
    hash.update(b"fuze/tool-code/v1\0");
    add(attribute, &mut hash);
    hash.update(b"]");
    add(item, &mut hash);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

// Each token is its kind, its length and its text: two different streams never hash the same bytes.
fn add(tokens: &TokenStream, hash: &mut Sha256) {
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("n", "N"),
                };
                hash.update(open);
                add(&group.stream(), hash);
                hash.update(close);
            }
            TokenTree::Ident(ident) => text("i", &ident.to_string(), hash),
            TokenTree::Literal(literal) => text("l", &literal.to_string(), hash),
            TokenTree::Punct(punct) => {
                let kind = if punct.spacing() == Spacing::Joint { "j" } else { "a" };
                text(kind, &punct.as_char().to_string(), hash);
            }
        }
    }
}

fn text(kind: &str, text: &str, hash: &mut Sha256) {
    hash.update(kind);
    hash.update(text.len().to_le_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(attribute: &str, item: &str) -> String {
        of(&attribute.parse().unwrap(), &item.parse().unwrap())
    }

    #[test]
    fn white_space_does_not_matter_and_everything_else_does() {
        let base = hash("effect = read", "async fn f() { g(1) }");
        assert_eq!(base.len(), 64);
        assert_eq!(base, hash("effect=read", "async  fn f ( )\n{ g( 1 ) }"));
        assert_ne!(base, hash("effect = once", "async fn f() { g(1) }"));
        assert_ne!(base, hash("effect = read", "async fn f() { g(2) }"));
        assert_ne!(base, hash("effect = read", "fn f() { g(1) }"));
        assert_ne!(hash("a", "b"), hash("a b", ""));
        assert_ne!(hash("", "x ab"), hash("", "xa b"));
    }
}
