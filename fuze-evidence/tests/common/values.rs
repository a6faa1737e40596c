//! Values inside the profile, from a seed: the same on every machine, so that other implementations can be asked about them.

use serde_json::{Map, Value, json};

use super::Counter;
use fuze_evidence::random::Random as _;

/// Draws from a seed.
pub(crate) struct Draw(Counter);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Counter(seed << 32))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        let mut octets = [0; 8];
        self.0.fill(&mut octets).unwrap();
        u64::from_be_bytes(octets)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }
}

/// Any value inside the profile, biased to where implementations differ.
pub(crate) fn value(draw: &mut Draw) -> Value {
    nested(draw, 4)
}

fn nested(draw: &mut Draw, depth: usize) -> Value {
    match draw.below(if depth == 0 { 6 } else { 10 }) {
        0 => draw.of(&[Value::Null, json!(true), json!(false)]).clone(),
        1 => integer(draw),
        2 | 3 => fraction(draw),
        4 | 5 => Value::String(text(draw)),
        6 | 7 => (0..draw.below(5)).map(|_| nested(draw, depth - 1)).collect(),
        _ => {
            let members = (0..draw.below(6)).map(|_| (text(draw), nested(draw, depth - 1)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn integer(draw: &mut Draw) -> Value {
    let magnitude = (draw.bits() >> 11) >> draw.below(53);
    let n = i64::try_from(magnitude).unwrap();
    json!(if draw.below(2) == 0 { n } else { -n })
}

/// Doubles: of any exponent, beside the edges of the notations, near integers, of few digits.
fn fraction(draw: &mut Draw) -> Value {
    loop {
        let n = match draw.below(4) {
            0 => f64::from_bits(draw.bits()),
            1 => {
                let edge: f64 = *draw.of(&[
                    1e21,
                    1e-6,
                    1e-7,
                    0.1,
                    1.0,
                    f64::MIN_POSITIVE,
                    9_007_199_254_740_991.0,
                    5e-324,
                ]);
                f64::from_bits(edge.to_bits().wrapping_add(draw.bits() % 9).wrapping_sub(4))
            }
            2 => f64::from(u32::try_from(draw.bits() >> 40).unwrap()) / 1000.0,
            _ => format!("{}e{}", draw.bits() % 1000, draw.below(640)).parse::<f64>().unwrap() * 1e-320,
        };
        // Whole numbers from 2^53 to 10^21 read as integers that other readers round.
        if n.is_finite() && (n.abs() < 9_007_199_254_740_992.0 || n.abs() >= 1e21) {
            return json!(if draw.below(2) == 0 { n } else { -n });
        }
    }
}

/// Text from where escapes, UTF-8 lengths and UTF-16 order change.
fn text(draw: &mut Draw) -> String {
    const CHARS: &[char] = &[
        'a',
        'b',
        'A',
        '0',
        ' ',
        '"',
        '\\',
        '/',
        '\u{0}',
        '\u{8}',
        '\t',
        '\n',
        '\u{b}',
        '\u{c}',
        '\r',
        '\u{1f}',
        '\u{7f}',
        '\u{80}',
        'é',
        '\u{7ff}',
        '\u{800}',
        '€',
        '\u{2028}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{fb33}',
        '\u{fffd}',
        '\u{ffff}',
        '\u{10000}',
        '😀',
        '\u{10ffff}',
    ];
    (0..draw.below(12)).map(|_| *draw.of(CHARS)).collect()
}
