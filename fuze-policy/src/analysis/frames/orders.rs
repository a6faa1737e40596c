//! The lists of roles with which it is asked. A run's roles are asked in the order of their names, so there is one list for each set of
//! them; only of roles that stand for others, which have other names, there may be several.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Roles to which the same rules speak.
pub(super) struct Class {
    /// Their names, in order: all that there are, or some.
    pub(super) names: Vec<Arc<str>>,
    /// The one that reads best.
    pub(super) preferred: Arc<str>,
    /// Where there are others: what their names begin with.
    pub(super) others: Option<Arc<str>>,
    /// Whether no rule speaks to them.
    pub(super) is_silent: bool,
    /// Whether conditions look for this one, which stands for no other.
    pub(super) is_looked_for: bool,
    /// Whether a list with one of them has to be looked at.
    pub(super) matters: bool,
}

/// Roles, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) roles: Vec<Arc<str>>,
    /// Whether that is the order of their names. Else there may be other names of which it is, or none.
    pub(super) in_order: bool,
}

impl Class {
    /// A bound from below for what comes next, if one of these is the first above a bound; `None` if none can be.
    ///
    /// No name that there may be is left out: what begins with `others` lies above the bound if the bound lies below that, or begins with it.
    fn above(&self, low: &str) -> Option<Arc<str>> {
        let named = self.first_above(low);
        let other = self.others.as_ref().and_then(|prefix| {
            if low < &**prefix {
                Some(Arc::clone(prefix))
            } else {
                low.starts_with(&**prefix).then(|| low.into())
            }
        });
        named.cloned().into_iter().chain(other).min()
    }

    fn first_above(&self, low: &str) -> Option<&Arc<str>> {
        self.names.get(self.names.partition_point(|name| **name <= *low))
    }
}

/// Lists of roles, such that whatever list decides something that matters, one of these decides it, too: each set of at most `deciding`
/// classes, and with it each set of those that conditions look for, in each order that their names may have. `None` if there are more than
/// `most`.
pub(super) fn lists(classes: &[Class], deciding: usize, most: usize) -> Option<Vec<Listed>> {
    let looked_for: Vec<usize> =
        (0..classes.len()).filter(|at| is(classes, *at, |c| c.is_looked_for)).collect();
    // With one of these in it any set matters, whichever others decide.
    let any = looked_for.iter().any(|at| is(classes, *at, |class| class.matters));
    let mut seen: BTreeSet<Vec<usize>> = BTreeSet::new();
    let mut all = Vec::new();
    let done = sets(classes, deciding, any, &mut |set| {
        let rest: Vec<usize> = looked_for.iter().copied().filter(|at| !set.contains(at)).collect();
        for subset in 0..1usize << rest.len().min(MOST_LOOKED_FOR) {
            let some = rest.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|(_, at)| *at);
            let mut whole: Vec<usize> = set.iter().copied().chain(some).collect();
            whole.sort_unstable();
            if !seen.insert(whole.clone()) {
                continue;
            }
            let of: Vec<&Class> = whole.iter().filter_map(|at| classes.get(*at)).collect();
            if of.iter().any(|class| class.matters) && !orders(&of, most, &mut all) {
                return false;
            }
        }
        true
    });
    // The fewer roles, the better a counterexample reads.
    all.sort_by_key(|listed| listed.roles.len());
    done.then_some(all)
}

/// Roles of which each set is tried.
pub(super) const MOST_LOOKED_FOR: usize = 12;

fn is(classes: &[Class], at: usize, is: impl Fn(&Class) -> bool) -> bool {
    classes.get(at).is_some_and(is)
}

/// Visits each set of at most so many classes in which one matters, if not any, once; `false` if that was ended.
fn sets(classes: &[Class], most: usize, any: bool, visit: &mut dyn FnMut(&[usize]) -> bool) -> bool {
    let matters = |at: usize| any || is(classes, at, |class| class.matters);
    let mut set = Vec::new();
    // Each set by the first of it that matters: before that one come only others.
    (0..classes.len()).filter(|at| matters(*at)).all(|first| {
        let rest: Vec<usize> = (0..classes.len()).filter(|at| *at > first || !matters(*at)).collect();
        set.push(first);
        let more = with_others(&rest, most, &mut set, visit);
        set.pop();
        more
    })
}

fn with_others(
    rest: &[usize],
    most: usize,
    set: &mut Vec<usize>,
    visit: &mut dyn FnMut(&[usize]) -> bool,
) -> bool {
    if !visit(set) {
        return false;
    }
    if set.len() >= most {
        return true;
    }
    rest.iter().enumerate().all(|(place, at)| {
        set.push(*at);
        let more = with_others(rest.get(place + 1..).unwrap_or_default(), most, set, visit);
        set.pop();
        more
    })
}

/// The orders that one of each of these classes can have; `false` if there are more than `most` lists then.
fn orders(of: &[&Class], most: usize, all: &mut Vec<Listed>) -> bool {
    // Where nobody speaks to a role its place decides nothing.
    let (silent, speaking): (Vec<&Class>, Vec<&Class>) = of.iter().partition(|class| class.is_silent);
    let with_silent = |order: &[&Class]| {
        let mut listed = listed(order);
        listed.roles.extend(silent.iter().map(|class| Arc::clone(&class.preferred)));
        if listed.in_order {
            listed.roles.sort();
        }
        listed
    };
    each_order("", &mut Vec::new(), &speaking, &mut |order| {
        all.push(with_silent(order));
        all.len() <= most
    })
}

fn each_order<'c>(
    low: &str,
    order: &mut Vec<&'c Class>,
    rest: &[&'c Class],
    visit: &mut dyn FnMut(&[&'c Class]) -> bool,
) -> bool {
    if rest.is_empty() {
        return visit(order);
    }
    rest.iter().enumerate().all(|(at, next)| {
        let Some(low) = next.above(low) else { return true };
        let others: Vec<&Class> =
            rest.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, class)| *class).collect();
        if others.iter().any(|class| class.above(&low).is_none()) {
            return true;
        }
        order.push(next);
        let more = each_order(&low, order, &others, visit);
        order.pop();
        more
    })
}

/// Names in this order, if known ones have it.
fn listed(order: &[&Class]) -> Listed {
    let names = |well: bool| {
        order.iter().try_fold(Vec::new(), |mut names: Vec<Arc<str>>, class| {
            let low = names.last().map_or("", |name| &**name);
            let readable = Some(&class.preferred).filter(|name| well && ***name > *low);
            let name = readable.or_else(|| class.first_above(low)).map(Arc::clone)?;
            names.push(name);
            Some(names)
        })
    };
    match names(true).or_else(|| names(false)) {
        Some(roles) => Listed { roles, in_order: true },
        None => {
            let roles = order.iter().map(|class| Arc::clone(&class.preferred)).collect();
            Listed { roles, in_order: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn class(names: &[&str], others: Option<&str>) -> Class {
        let mut names: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
        let preferred = Arc::clone(&names[0]);
        names.sort();
        let others = others.map(Into::into);
        Class { names, preferred, others, is_silent: false, is_looked_for: false, matters: true }
    }

    fn told(classes: &[Class], deciding: usize) -> Vec<String> {
        let all = lists(classes, deciding, 1_000).unwrap();
        let told = |listed: &Listed| listed.roles.join(" ") + if listed.in_order { "" } else { " ?" };
        all.iter().map(told).collect()
    }

    #[test]
    fn a_set_of_names_has_one_order() {
        let three = ["c", "a", "b"].map(|name| class(&[name], None));
        assert_eq!(told(&three, 3), ["c", "a", "b", "a c", "b c", "a b", "a b c"]);
        assert_eq!(told(&three, 2), ["c", "a", "b", "a c", "b c", "a b"]);
        assert_eq!(lists(&three, 3, 6), None);
    }

    #[test]
    fn who_stands_for_others_has_their_names_too() {
        let [ac, b] = [class(&["a", "c"], None), class(&["b"], None)];
        assert_eq!(told(&[ac, b], 2), ["a", "b", "a b", "b c"]);
        // Whoever is not named, and has a name before and behind.
        let [b, others] = [class(&["b"], None), class(&["x", "A"], Some(""))];
        assert_eq!(told(&[b, others], 2), ["b", "x", "b x", "A b"]);
        // Names that begin so come behind, and none is known that comes before `g:z`.
        let [a, gz, others] = [class(&["a"], None), class(&["g:z"], None), class(&["g:zz"], Some("g:"))];
        assert_eq!(
            told(&[a, gz, others], 2),
            ["a", "g:z", "g:zz", "a g:z", "a g:zz", "g:z g:zz", "g:zz g:z ?"]
        );
    }

    #[test]
    fn who_matters_is_in_each_list() {
        let four = |matters: &[&str]| {
            ["a", "b", "c", "d"]
                .map(|name| Class { matters: matters.contains(&name), ..class(&[name], None) })
        };
        assert_eq!(told(&four(&[]), 3), [""; 0]);
        assert_eq!(told(&four(&["c"]), 2), ["c", "a c", "b c", "c d"]);
        assert_eq!(told(&four(&["b", "c"]), 2), ["b", "c", "a b", "b c", "b d", "a c", "c d"]);
    }

    #[test]
    fn where_nobody_speaks_the_place_decides_nothing() {
        let [b, mut others] = [class(&["b"], None), class(&["x", "A"], Some(""))];
        others.is_silent = true;
        assert_eq!(told(&[b, others], 2), ["b", "x", "b x"]);
    }

    /// Each sorted list of names has the order of one of these.
    #[test]
    fn no_order_is_left_out() {
        let mut rng = Rng::with_seed(5);
        let (mut orders, mut abstract_ones) = (0, 0);
        for _ in 0..300 {
            // Names fall to classes by chance; those that begin with a class's prefix may be its others.
            let text = |rng: &mut Rng| -> String {
                (0..rng.usize(1..4)).map(|_| rng.choice(['a', 'b']).unwrap()).collect()
            };
            let prefixes = [text(&mut rng), text(&mut rng), String::new(), text(&mut rng)];
            let mut names: Vec<BTreeSet<Arc<str>>> = vec![BTreeSet::new(); 4];
            for _ in 0..8 {
                let name: Arc<str> = text(&mut rng).into();
                if names.iter().all(|of| !of.contains(&name)) {
                    names[rng.usize(..4)].insert(name);
                }
            }
            let classes: Vec<Class> = names
                .iter()
                .zip(&prefixes)
                .filter(|(names, _)| !names.is_empty())
                .map(|(names, prefix)| {
                    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                    class(&names, rng.bool().then_some(&**prefix))
                })
                .collect();
            let of = |name: &str| -> Vec<usize> {
                let named = classes.iter().position(|class| class.names.iter().any(|known| **known == *name));
                let may = |at: &usize| {
                    classes[*at].others.as_ref().is_some_and(|prefix| name.starts_with(&**prefix))
                };
                named.map_or_else(|| (0..classes.len()).filter(may).collect(), |at| vec![at])
            };
            let all = lists(&classes, 3, 1_000).unwrap();
            let known: Vec<Vec<usize>> = all
                .iter()
                .map(|listed| {
                    abstract_ones += usize::from(!listed.in_order);
                    assert!(!listed.in_order || listed.roles.is_sorted(), "{listed:?}");
                    listed
                        .roles
                        .iter()
                        .map(|role| classes.iter().position(|c| c.names.contains(role)).unwrap())
                        .collect()
                })
                .collect();
            for _ in 0..40 {
                let asked: BTreeSet<String> = (0..3).map(|_| text(&mut rng)).collect();
                let Some(order) =
                    asked.iter().map(|name| of(name).first().copied()).collect::<Option<Vec<_>>>()
                else {
                    continue;
                };
                if order.iter().collect::<BTreeSet<_>>().len() == order.len() {
                    orders += 1;
                    assert!(known.contains(&order), "{asked:?} {order:?} {all:?}");
                }
            }
        }
        assert!(orders > 500 && abstract_ones > 50, "{orders} {abstract_ones}");
    }
}
