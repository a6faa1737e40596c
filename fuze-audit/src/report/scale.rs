//! Time on paper: to scale while something happens, broken where nothing does for long.

use fuze_evidence::Timestamp;

/// How wide a break is drawn.
const BREAK_WIDTH: f64 = 46.0;
/// A gap is broken if it is longer than this part of all the time in which something happens.
const BREAK_SHARE: f64 = 0.2;

/// A stretch of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from: u128,
    to: u128,
    x: f64,
    width: f64,
    broken: bool,
}

/// Maps times to places.
#[derive(Debug)]
pub(super) struct Scale(Vec<Stretch>);

impl Scale {
    /// For steps that begin and end at these times, between `left` and `right`.
    pub(super) fn new(steps: impl Iterator<Item = (Timestamp, Timestamp)>, left: f64, right: f64) -> Self {
        let mut steps: Vec<(u128, u128)> = steps.map(|(from, to)| (from.as_nanos(), to.as_nanos())).collect();
        steps.sort_unstable();
        let mut busy: Vec<(u128, u128)> = Vec::new();
        for (from, to) in steps {
            match busy.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(to),
                _ => busy.push((from, to)),
            }
        }
        let active: u128 = busy.iter().map(|(from, to)| to - from).sum();
        // Where all steps are moments, the gaps are all there is: those are measured by their median, if there are enough to have one.
        let mut gaps: Vec<u128> =
            busy.windows(2).filter_map(|pair| Some(pair.last()?.0 - pair.first()?.1)).collect();
        gaps.sort_unstable();
        let median = gaps.get(gaps.len() / 2).filter(|_| gaps.len() > 2).copied().unwrap_or_default();
        let limit = (active as f64 * BREAK_SHARE).max(median as f64 * 4.0);
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from, to) in busy {
            match stretches.last_mut() {
                Some(last) if (from - last.to) as f64 <= limit => last.to = to,
                last => {
                    if let Some(before) = last.map(|last| last.to) {
                        stretches.push(Stretch {
                            from: before,
                            to: from,
                            x: 0.0,
                            width: BREAK_WIDTH,
                            broken: true,
                        });
                    }
                    stretches.push(Stretch { from, to, x: 0.0, width: 0.0, broken: false });
                }
            }
        }
        place(&mut stretches, left, right);
        Self(stretches)
    }

    pub(super) fn x(&self, time: Timestamp) -> f64 {
        let time = time.as_nanos();
        let Some(stretch) = self.0.iter().find(|stretch| time <= stretch.to).or(self.0.last()) else {
            return 0.0;
        };
        let length = (stretch.to - stretch.from).max(1) as f64;
        stretch.x + stretch.width * (time.saturating_sub(stretch.from) as f64 / length).min(1.0)
    }

    /// Where the axis is broken: place, width and how long nothing happened.
    pub(super) fn breaks(&self) -> impl Iterator<Item = (f64, f64, u128)> + '_ {
        self.0.iter().filter(|stretch| stretch.broken).map(|s| (s.x, s.width, s.to - s.from))
    }
}

/// Gives each stretch its place. Each unbroken one gets a little, the rest of the paper is shared by length.
fn place(stretches: &mut [Stretch], left: f64, right: f64) {
    let breaks = stretches.iter().filter(|stretch| stretch.broken).count() as f64;
    let whole = stretches.len() as f64 - breaks;
    // Many breaks become narrow rather than leave no room.
    let break_width = BREAK_WIDTH.min((right - left) * 0.5 / breaks.max(1.0));
    let room = right - left - breaks * break_width;
    let least = (room * 0.4 / whole.max(1.0)).min(40.0);
    let shared = room - whole * least;
    let length = |stretch: &Stretch| (stretch.to - stretch.from) as f64;
    let total: f64 = stretches.iter().filter(|s| !s.broken).map(length).sum();
    let mut x = left;
    for stretch in stretches {
        stretch.x = x;
        stretch.width = match stretch.broken {
            true => break_width,
            false if total > 0.0 => least + shared * length(stretch) / total,
            false => least + shared / whole.max(1.0),
        };
        x += stretch.width;
    }
}

/// `2 h 14 min`, `3.2 s`, `480 ms`, `7 µs`.
pub(super) fn duration(nanos: u128) -> String {
    const UNITS: [(u128, &str, u128, &str); 2] = [(86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")];
    let seconds = nanos / 1_000_000_000;
    for (large, large_name, small, small_name) in UNITS {
        if seconds >= large {
            return format!("{} {large_name} {} {small_name}", seconds / large, seconds % large / small);
        }
    }
    if seconds >= 60 {
        return format!("{} min {} s", seconds / 60, seconds % 60);
    }
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{}.{} s", seconds, nanos % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i128) -> Timestamp {
        Timestamp::from_nanos(nanos).unwrap()
    }

    #[test]
    fn a_night_between_two_seconds_is_a_break() {
        let second = 1_000_000_000;
        let night = 40_000 * second;
        let steps = [(0, second), (second, 2 * second), (night, night + second)];
        let scale = Scale::new(steps.iter().map(|&(a, b)| (at(a), at(b))), 0.0, 1000.0);
        let breaks: Vec<_> = scale.breaks().collect();
        assert_eq!(breaks.len(), 1);
        assert_eq!(breaks[0].2, 39_998_000_000_000);
        assert_eq!(scale.x(at(0)), 0.0);
        assert!((scale.x(at(night + second)) - 1000.0).abs() < 1e-6);
        // Within a stretch it is to scale.
        let half = scale.x(at(2 * second)) / 2.0;
        assert!((scale.x(at(second)) - half).abs() < 1e-6);
        assert!(scale.x(at(night)) > scale.x(at(2 * second)));
    }

    #[test]
    fn any_number_of_breaks_leaves_the_axis_on_the_paper() {
        let steps = (0..500).map(|n| (at(n * n * n * 1_000_000_000), at(n * n * n * 1_000_000_000 + 1)));
        let scale = Scale::new(steps, 10.0, 110.0);
        let mut last = 0.0;
        for n in 0..500 {
            let x = scale.x(at(n * n * n * 1_000_000_000));
            assert!(x >= last && x <= 110.000001, "{n} {x}");
            last = x;
        }
        assert_eq!(Scale::new(std::iter::empty(), 0.0, 1.0).x(at(5)), 0.0);
    }

    #[test]
    fn durations_read_as_people_say_them() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (7_000, "7 µs"),
            (480_000_000, "480 ms"),
            (3_200_000_000, "3.2 s"),
            (61_000_000_000, "1 min 1 s"),
            (8_040_000_000_000, "2 h 14 min"),
            (180_000_000_000_000, "2 d 2 h"),
        ] {
            assert_eq!(duration(nanos), text);
        }
    }
}
