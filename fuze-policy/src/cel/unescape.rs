//! The content of quoted text and bytes.

/// The text inside the quotes with its escapes resolved.
pub(super) fn text(content: &str, raw: bool) -> Result<String, &'static str> {
    let content = one_newline(content);
    if raw || !content.contains('\\') {
        return Ok(content);
    }
    let mut out = String::with_capacity(content.len());
    let mut rest = content.as_str();
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let (code, tail) = escape(escaped, false)?;
        out.push(char::from_u32(code).ok_or("an escape names no character of Unicode")?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The bytes inside the quotes with their escapes resolved; characters stand for their UTF-8.
pub(super) fn bytes(content: &str, raw: bool) -> Result<Vec<u8>, &'static str> {
    let content = one_newline(content);
    if raw {
        return Ok(content.into_bytes());
    }
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content.as_str();
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.extend_from_slice(plain.as_bytes());
        let (code, tail) = escape(escaped, true)?;
        out.push(u8::try_from(code).map_err(|_| "an escape in bytes is larger than a byte")?);
        rest = tail;
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// cel-go reads all three kinds of line end as one, in raw text too.
fn one_newline(content: &str) -> String {
    if content.contains('\r') {
        content.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        content.to_owned()
    }
}

/// The code that follows a backslash, and what comes after it.
fn escape(text: &str, bytes: bool) -> Result<(u32, &str), &'static str> {
    const UNKNOWN: &str = "after `\\` only a b f n r t v \\ ' \" ` ? or a code are known";
    let mut characters = text.chars();
    let first = characters.next().ok_or(UNKNOWN)?;
    let tail = characters.as_str();
    let simple = match first {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '\\' | '\'' | '"' | '`' | '?' => u32::from(first),
        'x' | 'X' => return digits(tail, 2, 16),
        'u' if !bytes => return digits(tail, 4, 16),
        'U' if !bytes => return digits(tail, 8, 16),
        '0'..='3' => return digits(text, 3, 8),
        _ => return Err(UNKNOWN),
    };
    Ok((simple, tail))
}

fn digits(text: &str, length: usize, base: u32) -> Result<(u32, &str), &'static str> {
    const SHORT: &str = "an escape by code has too few digits";
    let (code, tail) = text.split_at_checked(length).ok_or(SHORT)?;
    // `from_str_radix` would take a sign.
    if !code.bytes().all(|b| char::from(b).is_digit(base)) {
        return Err(SHORT);
    }
    let code = u32::from_str_radix(code, base).map_err(|_| SHORT)?;
    Ok((code, tail))
}
