//! Time on paper: to scale while something happens, broken where nothing does for long.

use fuze_evidence::Timestamp;

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
pub struct Scale(Vec<Stretch>);

/// Where the axis is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// Its left edge.
    pub x: f64,
    /// How wide it is drawn.
    pub width: f64,
    /// For how long nothing happened, in nanoseconds.
    pub nanos: u128,
}

impl Scale {
    /// For steps that begin and end at these times, between `left` and `right`; a break is `break_width` wide where there is room.
    pub fn new(
        steps: impl IntoIterator<Item = (Timestamp, Timestamp)>,
        (left, right): (f64, f64),
        break_width: f64,
    ) -> Self {
        let mut steps: Vec<(u128, u128)> =
            steps.into_iter().map(|(from, to)| (from.as_nanos(), to.max(from).as_nanos())).collect();
        steps.sort_unstable();
        let mut busy: Vec<(u128, u128)> = Vec::new();
        for (from, to) in steps {
            match busy.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(to),
                _ => busy.push((from, to)),
            }
        }
        let limit = longest_unbroken(&busy);
        let mut stretches: Vec<Stretch> = Vec::new();
        for (from, to) in busy {
            match stretches.last_mut() {
                Some(last) if from - last.to <= limit => last.to = to,
                last => {
                    if let Some(before) = last.map(|last| last.to) {
                        stretches.push(Stretch { from: before, to: from, x: 0.0, width: 0.0, broken: true });
                    }
                    stretches.push(Stretch { from, to, x: 0.0, width: 0.0, broken: false });
                }
            }
        }
        place(&mut stretches, (left, right), break_width);
        Self(stretches)
    }

    /// The place of a time.
    #[must_use]
    pub fn x(&self, time: Timestamp) -> f64 {
        let time = time.as_nanos();
        let Some(stretch) = self.0.iter().find(|stretch| time <= stretch.to).or(self.0.last()) else {
            return 0.0;
        };
        let length = (stretch.to - stretch.from).max(1) as f64;
        stretch.x + stretch.width * (time.saturating_sub(stretch.from) as f64 / length).min(1.0)
    }

    /// Where the axis is broken.
    pub fn breaks(&self) -> impl Iterator<Item = Break> + '_ {
        let broken = self.0.iter().filter(|stretch| stretch.broken);
        broken.map(|s| Break { x: s.x, width: s.width, nanos: s.to - s.from })
    }
}

/// A gap is broken if it is so many times as long as all that is shorter, steps and gaps together.
const DOMINATES: u128 = 3;

/// The longest gap that is drawn to scale. Waiting for a person is broken, and a model that is slow once is not. The shortest quarter of the gaps never is: steps may be moments, and all of a run gaps.
fn longest_unbroken(busy: &[(u128, u128)]) -> u128 {
    let mut gaps: Vec<u128> =
        busy.windows(2).filter_map(|pair| Some(pair.last()?.0 - pair.first()?.1)).collect();
    gaps.sort_unstable();
    let mut shorter: u128 = busy.iter().map(|(from, to)| to - from).sum();
    let mut longest = 0;
    for (at, gap) in gaps.iter().enumerate() {
        if at >= gaps.len() / 4 && *gap / DOMINATES >= shorter {
            break;
        }
        (shorter, longest) = (shorter + gap, *gap);
    }
    longest
}

/// Gives each stretch its place. Each unbroken one gets a little, the rest of the paper is shared by length.
fn place(stretches: &mut [Stretch], (left, right): (f64, f64), break_width: f64) {
    let breaks = stretches.iter().filter(|stretch| stretch.broken).count() as f64;
    let whole = stretches.len() as f64 - breaks;
    // Many breaks become narrow rather than leave no room.
    let break_width = break_width.min((right - left) * 0.5 / breaks.max(1.0));
    let room = right - left - breaks * break_width;
    let least = (room * 0.4 / whole.max(1.0)).min(room / 20.0);
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
        let scale = Scale::new(steps.iter().map(|&(a, b)| (at(a), at(b))), (0.0, 1000.0), 46.0);
        let breaks: Vec<_> = scale.breaks().collect();
        assert_eq!(breaks.len(), 1);
        assert_eq!(breaks[0].nanos, 39_998_000_000_000);
        assert_eq!(scale.x(at(0)), 0.0);
        assert!((scale.x(at(night + second)) - 1000.0).abs() < 1e-6);
        // Within a stretch it is to scale.
        let half = scale.x(at(2 * second)) / 2.0;
        assert!((scale.x(at(second)) - half).abs() < 1e-6);
        assert!(scale.x(at(night)) > scale.x(at(2 * second)));
    }

    #[test]
    fn only_what_dominates_the_rest_is_broken() {
        let ms = |n: i128| at(n * 1_000_000);
        // Moments, as in a run of a scripted model: only the wait of a minute is broken, none of the milliseconds.
        let moments = [0, 14, 14, 17, 19, 20, 21, 26, 27, 28, 60_082, 60_090, 60_102];
        let scale = Scale::new(moments.map(|n| (ms(n), ms(n))), (0.0, 100.0), 5.0);
        assert_eq!(scale.breaks().map(|b| b.nanos).collect::<Vec<_>>(), [60_054_000_000]);
        // Steps with longer gaps between them are to scale as well, once the shortest of the gaps are.
        let steady = (0..8).map(|n| (ms(50 * n), ms(50 * n + 10)));
        assert_eq!(Scale::new(steady, (0.0, 100.0), 5.0).breaks().count(), 0);
        // Two waits of the same length are two breaks, and two answers of a model that takes its time are none.
        let steps = |pause| [(0, 1000), (pause, pause + 1000), (2 * pause, 2 * pause + 1000)];
        let breaks =
            |pause| Scale::new(steps(pause).map(|(a, b)| (ms(a), ms(b))), (0.0, 100.0), 5.0).breaks().count();
        assert_eq!((breaks(7_200_000), breaks(3000)), (2, 0));
    }

    #[test]
    fn any_number_of_breaks_leaves_the_axis_on_the_paper() {
        // Each third gap is longer than all the rest.
        let time = |n: i128| at(n + n / 3 * 1_000_000_000_000);
        let scale = Scale::new((0..500).map(|n| (time(n), time(n))), (10.0, 110.0), 46.0);
        assert_eq!(scale.breaks().count(), 166);
        let mut last = 0.0;
        for n in 0..500 {
            let x = scale.x(time(n));
            assert!(x >= last && x <= 110.000001, "{n} {x}");
            last = x;
        }
        assert_eq!(Scale::new(std::iter::empty(), (0.0, 1.0), 46.0).x(at(5)), 0.0);
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
