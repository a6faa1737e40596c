//! Evaluates lowered expressions.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::Request;
use crate::cel::{self, BinaryOp, FoldKind};

use super::expr::{Arena, At, Each, LOCALS, Node, TextTest};
use super::json::{self, Found};
use super::value::{List, Members, Ref, Stop};
use super::work::{COMPARED, LOOKED_OVER, Work};

/// Longer text is left to the interpreter, whose budget counts it.
const LONGEST_TEXT: usize = 4096;

/// Evaluates to a truth value.
///
/// No node is below two others, so each is evaluated once at most, but for what a macro repeats and counts. What is evaluated once is not
/// counted: an arena has no more nodes than a decision may evaluate.
pub(super) fn truth<'a>(
    arena: &'a Arena,
    at: At,
    request: &Request<'a>,
    work: &mut Work,
) -> Result<bool, Stop> {
    Run { arena, request, locals: [Ref::Null; LOCALS], work }.truth(at)
}

struct Run<'a, 'r> {
    arena: &'a Arena,
    request: &'r Request<'a>,
    locals: [Ref<'a>; LOCALS],
    work: &'r mut Work,
}

impl<'a> Run<'a, '_> {
    fn node(&self, at: At) -> Result<&'a Node, Stop> {
        self.arena.node(at).ok_or(Stop::Leave)
    }

    /// The same as [`eval`](Self::eval), without a call for what most operands are: half of a decision's time is theirs.
    #[inline]
    fn operand(&mut self, at: At) -> Result<Ref<'a>, Stop> {
        match self.node(at)? {
            Node::Literal(literal) => Ref::of(literal.value()),
            Node::Fact(fact) => fact.of(self.request).ok_or(Stop::Failed),
            _ => self.eval(at),
        }
    }

    fn eval(&mut self, at: At) -> Result<Ref<'a>, Stop> {
        Ok(match self.node(at)? {
            Node::Leave => return Err(Stop::Leave),
            Node::Same(at) => self.eval(*at)?,
            Node::Literal(literal) => Ref::of(literal.value())?,
            Node::Fact(fact) => fact.of(self.request).ok_or(Stop::Failed)?,
            Node::Args(keys) => self.args(keys)?,
            Node::Missing => return Err(Stop::Failed),
            Node::Local(index) => *self.locals.get(*index).ok_or(Stop::Leave)?,
            Node::Member(of, key) => self.open(*of)?.member(key)?,
            Node::Element(of, index) => {
                let (of, index) = (self.open(*of)?, self.eval(*index)?);
                element(of, index)?
            }
            Node::Negate(of) => match self.eval(*of)? {
                Ref::Double(number) => Ref::Double(-number),
                Ref::Int(number) => Ref::Int(number.checked_neg().ok_or(Stop::Failed)?),
                _ => return Err(Stop::Leave),
            },
            Node::Arithmetic(operator, left, right) => {
                let (left, right) = (self.operand(*left)?, self.operand(*right)?);
                arithmetic(*operator, left, right)?
            }
            Node::Conditional(condition, then, otherwise) => {
                let branch = if self.truth(*condition)? { then } else { otherwise };
                self.eval(*branch)?
            }
            Node::Size(of) => Ref::Int(self.size(*of)?),
            Node::Has(..)
            | Node::HasFact(_)
            | Node::HasArgs(..)
            | Node::Not(_)
            | Node::Compare(..)
            | Node::Is(..)
            | Node::In(..)
            | Node::And(_)
            | Node::Or(_)
            | Node::Text(..)
            | Node::Matches(..)
            | Node::InRange(..)
            | Node::Fold(_) => Ref::Bool(self.truth(at)?),
        })
    }

    /// What is true or false stays in a register.
    fn truth(&mut self, at: At) -> Result<bool, Stop> {
        match self.node(at)? {
            Node::Has(of, key) => Ok(self.open(*of)?.find(key)?.is_some()),
            Node::HasFact(fact) => Ok(fact.of(self.request).is_some()),
            Node::HasArgs(keys, last) => {
                let of = self.args(keys)?;
                self.look_over(of)?;
                Ok(of.find(last)?.is_some())
            }
            Node::Not(of) => Ok(!self.truth(*of)?),
            Node::Compare(operator, left, right) => {
                let (left, right) = (self.operand(*left)?, self.operand(*right)?);
                if let (Ref::Text(left), Ref::Text(right)) = (left, right) {
                    self.work.take(left.len().min(right.len()) / COMPARED)?;
                }
                compare(*operator, left, right)
            }
            Node::Is(fact, text) => match fact.of(self.request).ok_or(Stop::Failed)? {
                Ref::Text(given) => {
                    self.work.take(given.len().min(text.len()) / COMPARED)?;
                    Ok(*given == **text)
                }
                other => other.equals(Ref::Text(text)),
            },
            Node::In(element, of) => {
                let (element, of) = (self.operand(*element)?, self.operand(*of)?);
                self.contains(of, element)
            }
            Node::And(operands) => self.decide(operands, false),
            Node::Or(operands) => self.decide(operands, true),
            Node::Text(test, of, by) => {
                let (of, by) = (self.text(*of)?, self.text(*by)?);
                self.work.take((of.len() + by.len()) / COMPARED)?;
                Ok(match test {
                    TextTest::StartsWith => of.starts_with(by),
                    TextTest::EndsWith => of.ends_with(by),
                    TextTest::Contains => of.contains(by),
                })
            }
            Node::Matches(of, pattern) => {
                let of = self.text(*of)?;
                self.work.take(usize::try_from(pattern.cost(of.len())).map_err(|_| Stop::Leave)?)?;
                Ok(pattern.is_match(of))
            }
            Node::InRange(of, range) => {
                let of = self.text(*of)?;
                self.work.take(of.len() / COMPARED)?;
                Ok(range.contains(cel::address(of).map_err(|_| Stop::Leave)?))
            }
            Node::Fold(each) => self.fold(*each),
            Node::Leave
            | Node::Same(_)
            | Node::Literal(_)
            | Node::Fact(_)
            | Node::Args(_)
            | Node::Missing
            | Node::Local(_)
            | Node::Member(..)
            | Node::Element(..)
            | Node::Negate(_)
            | Node::Arithmetic(..)
            | Node::Conditional(..)
            | Node::Size(_) => self.eval(at)?.truth(),
        }
    }

    fn args(&mut self, keys: &[Arc<str>]) -> Result<Ref<'a>, Stop> {
        // A key is looked for without reading what follows it: the loop sends canonical JSON.
        let args = self.request.call.args;
        if keys.is_empty() {
            self.work.take(args.len() / LOOKED_OVER)?;
            return Ref::of_json(json::read(args)?);
        }
        let mut value = Found::Object(args);
        for key in keys {
            let Found::Object(object) = value else { return Err(Stop::Leave) };
            self.work.take(object.len() / LOOKED_OVER)?;
            value = json::member(object, key)?.ok_or(Stop::Failed)?;
        }
        Ref::of_json(value)
    }

    /// What will be looked into.
    fn open(&mut self, at: At) -> Result<Ref<'a>, Stop> {
        let of = self.eval(at)?;
        self.look_over(of)?;
        Ok(of)
    }

    fn look_over(&mut self, of: Ref<'a>) -> Result<(), Stop> {
        match of {
            Ref::Map(Members::Json(bytes)) | Ref::List(List::Json(bytes)) => {
                self.work.take(bytes.len() / LOOKED_OVER)
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, at: At) -> Result<&'a str, Stop> {
        match self.eval(at)? {
            Ref::Text(text) if text.len() <= LONGEST_TEXT => Ok(text),
            _ => Err(Stop::Leave),
        }
    }

    /// `&&` (decisive: false) and `||` (decisive: true): a decisive operand decides, whatever errors stand beside it.
    fn decide(&mut self, operands: &[At], decisive: bool) -> Result<bool, Stop> {
        let mut failed = false;
        for operand in operands {
            match self.truth(*operand) {
                Ok(value) if value == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Stop::Failed) => failed = true,
                Err(Stop::Leave) => return Err(Stop::Leave),
            }
        }
        if failed { Err(Stop::Failed) } else { Ok(!decisive) }
    }

    fn contains(&mut self, of: Ref<'a>, element: Ref<'a>) -> Result<bool, Stop> {
        let compared = if let Ref::Text(text) = element { text.len() / COMPARED } else { 0 };
        match of {
            Ref::List(list) => {
                let mut found = false;
                self.each(list, |run, item| {
                    run.work.take(compared)?;
                    found = item.equals(element)?;
                    Ok(!found)
                })?;
                Ok(found)
            }
            Ref::Map(_) => match element {
                Ref::Text(key) => {
                    self.work.take(compared)?;
                    self.look_over(of)?;
                    Ok(of.find(key)?.is_some())
                }
                _ => Err(Stop::Leave),
            },
            _ => Err(Stop::Leave),
        }
    }

    /// Calls for each item until told to stop.
    fn each(
        &mut self,
        list: List<'a>,
        mut step: impl FnMut(&mut Self, Ref<'a>) -> Result<bool, Stop>,
    ) -> Result<(), Stop> {
        self.look_over(Ref::List(list))?;
        let mut one = |run: &mut Self, item: Ref<'a>| {
            run.work.take(1)?;
            step(run, item)
        };
        match list {
            List::Values(values) => {
                for value in values {
                    if !one(self, Ref::of(value)?)? {
                        break;
                    }
                }
            }
            List::Texts(texts) => {
                for text in texts {
                    if !one(self, Ref::Text(text))? {
                        break;
                    }
                }
            }
            List::Json(bytes) => {
                for found in json::elements(bytes)? {
                    if !one(self, Ref::of_json(found?)?)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn fold(&mut self, each: Each) -> Result<bool, Stop> {
        let Each { kind, range, body, nodes, local } = each;
        let Ref::List(list) = self.eval(range)? else { return Err(Stop::Leave) };
        let (mut failed, mut found) = (false, 0_u32);
        let decisive = matches!(kind, FoldKind::Exists);
        let mut decided = false;
        self.each(list, |run, item| {
            run.work.take(nodes)?;
            *run.locals.get_mut(local).ok_or(Stop::Leave)? = item;
            match run.truth(body) {
                Ok(holds) if kind == FoldKind::ExistsOne => found += u32::from(holds),
                Ok(holds) if holds == decisive => decided = true,
                Ok(_) => {}
                Err(Stop::Failed) if kind != FoldKind::ExistsOne => failed = true,
                Err(stop) => return Err(stop),
            }
            Ok(!decided)
        })?;
        match kind {
            FoldKind::ExistsOne => Ok(found == 1),
            _ if decided => Ok(decisive),
            _ if failed => Err(Stop::Failed),
            _ => Ok(!decisive),
        }
    }

    fn size(&mut self, at: At) -> Result<i64, Stop> {
        let length = match self.eval(at)? {
            Ref::Text(text) if text.len() <= LONGEST_TEXT => {
                self.work.take(text.len() / COMPARED)?;
                text.chars().count()
            }
            Ref::List(List::Values(values)) => values.len(),
            Ref::List(List::Texts(texts)) => texts.len(),
            Ref::List(list @ List::Json(_)) => {
                let mut length = 0;
                self.each(list, |_, _| {
                    length += 1;
                    Ok(true)
                })?;
                length
            }
            _ => return Err(Stop::Leave),
        };
        i64::try_from(length).map_err(|_| Stop::Leave)
    }
}

fn compare(operator: BinaryOp, left: Ref<'_>, right: Ref<'_>) -> Result<bool, Stop> {
    Ok(match operator {
        BinaryOp::Equal => left.equals(right)?,
        BinaryOp::NotEqual => !left.equals(right)?,
        BinaryOp::Less => left.order(right)? == Ordering::Less,
        BinaryOp::LessEqual => left.order(right)? != Ordering::Greater,
        BinaryOp::Greater => left.order(right)? == Ordering::Greater,
        BinaryOp::GreaterEqual => left.order(right)? != Ordering::Less,
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Modulo
        | BinaryOp::In => return Err(Stop::Leave),
    })
}

fn arithmetic<'a>(operator: BinaryOp, left: Ref<'a>, right: Ref<'a>) -> Result<Ref<'a>, Stop> {
    match (left, right) {
        (Ref::Double(a), Ref::Double(b)) => Ok(Ref::Double(match operator {
            BinaryOp::Add => a + b,
            BinaryOp::Subtract => a - b,
            BinaryOp::Multiply => a * b,
            BinaryOp::Divide => a / b,
            _ => return Err(Stop::Leave),
        })),
        (Ref::Int(a), Ref::Int(b)) => match operator {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Subtract => a.checked_sub(b),
            BinaryOp::Multiply => a.checked_mul(b),
            BinaryOp::Divide => a.checked_div(b),
            BinaryOp::Modulo => a.checked_rem(b),
            _ => return Err(Stop::Leave),
        }
        .map(Ref::Int)
        .ok_or(Stop::Failed),
        // Text is built, times are not lowered, and the rest are errors.
        _ => Err(Stop::Leave),
    }
}

fn element<'a>(of: Ref<'a>, index: Ref<'a>) -> Result<Ref<'a>, Stop> {
    match (of, index) {
        (Ref::Map(_), Ref::Text(key)) => of.member(key),
        (Ref::List(list), Ref::Int(index)) => {
            let index = usize::try_from(index).map_err(|_| Stop::Failed)?;
            match list {
                List::Values(values) => values.get(index).map(Ref::of).unwrap_or(Err(Stop::Failed)),
                List::Texts(texts) => texts.get(index).map(|text| Ref::Text(text)).ok_or(Stop::Failed),
                List::Json(bytes) => match json::elements(bytes)?.nth(index) {
                    Some(found) => Ref::of_json(found?),
                    None => Err(Stop::Failed),
                },
            }
        }
        _ => Err(Stop::Leave),
    }
}
