//! IP addresses and ranges of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Computed, Context, Native};
use crate::cel::error::EvalError;
use crate::cel::signatures::Line;
use crate::cel::value::Value;

const ABOUT_ADDRESS: &[&str] = &["ip.() bool"];

pub(super) const LINES: &[Line] = &[
    ("ip", &["(string) ip", "cidr.() ip"], Native::Eager(to_ip)),
    ("cidr", &["(string) cidr"], Native::Eager(to_cidr)),
    ("isIP", &["(string) bool"], Native::Eager(|_, args| readable(args, |s| address(s).is_ok()))),
    ("isCIDR", &["(string) bool"], Native::Eager(|_, args| readable(args, |s| range(s).is_ok()))),
    ("ip.isCanonical", &["(string) bool"], Native::Eager(is_canonical)),
    ("family", &["ip.() int"], Native::Eager(family)),
    ("isUnspecified", ABOUT_ADDRESS, Native::Eager(|_, args| about(args, |ip| ip.is_unspecified()))),
    ("isLoopback", ABOUT_ADDRESS, Native::Eager(|_, args| about(args, |ip| ip.is_loopback()))),
    ("isGlobalUnicast", ABOUT_ADDRESS, Native::Eager(|_, args| about(args, is_global_unicast))),
    ("isLinkLocalMulticast", ABOUT_ADDRESS, Native::Eager(|_, args| about(args, is_link_local_multicast))),
    ("isLinkLocalUnicast", ABOUT_ADDRESS, Native::Eager(|_, args| about(args, is_link_local_unicast))),
    ("containsIP", &["cidr.(ip) bool", "cidr.(string) bool"], Native::Eager(contains_ip)),
    ("containsCIDR", &["cidr.(cidr) bool", "cidr.(string) bool"], Native::Eager(contains_cidr)),
    ("isMask", &["cidr.() bool"], Native::Eager(is_mask)),
    ("masked", &["cidr.() cidr"], Native::Eager(masked)),
    ("prefixLength", &["cidr.() int"], Native::Eager(prefix_length)),
    ("inIPAddrRange", &["string.(string) bool"], Native::Eager(in_range)),
];

/// A range of addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, as Go does.
    fn parse(text: &str) -> Option<Cidr> {
        let (address, bits) = text.rsplit_once('/')?;
        let address = parse_address(address)?;
        let plain = bits == "0" || !bits.starts_with('0');
        if bits.len() > 3 || !plain || !bits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
        Some(Cidr { address, bits })
    }

    fn masked(self) -> Cidr {
        Cidr { address: mask(self.address, self.bits), ..self }
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && mask(self.address, self.bits) == mask(address, self.bits)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all but the first bits zero.
fn mask(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// An address, which Rust reads as Go does: `::` stands for one group at least.
fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// `ip("…")`: not one that IPv6 maps from IPv4.
pub(crate) fn address(text: &str) -> Result<IpAddr, EvalError> {
    match parse_address(text) {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            Err(EvalError::failed(format!("IPv4-mapped IPv6 address {text:?} is not allowed")))
        }
        Some(address) => Ok(address),
        None => {
            Err(EvalError::failed(format!("IP Address {text:?} parse error during conversion from string")))
        }
    }
}

/// `cidr("…")`: not of addresses that IPv6 maps from IPv4.
pub(crate) fn range(text: &str) -> Result<Cidr, EvalError> {
    match Cidr::parse(text) {
        Some(Cidr { address: IpAddr::V6(v6), .. }) if v6.to_ipv4_mapped().is_some() => {
            Err(EvalError::failed(format!("IPv4-mapped IPv6 address {text:?} is not allowed")))
        }
        Some(range) => Ok(range),
        None => Err(EvalError::failed(format!("CIDR {text:?} parse error during conversion from string"))),
    }
}

fn to_ip(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::String(s)] => address(s).map(Value::Ip),
        [Value::Cidr(cidr)] => Ok(Value::Ip(cidr.address)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn to_cidr(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::String(s)] => range(s).map(|range| Value::Cidr(Arc::new(range))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn readable(args: &[Value], test: fn(&str) -> bool) -> Computed {
    match args {
        [Value::String(s)] => Ok(Value::Bool(test(s))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn is_canonical(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::String(s)] => address(s).map(|address| Value::Bool(address.to_string() == **s)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn family(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Ip(ip)] => Ok(Value::Int(if ip.is_ipv4() { 4 } else { 6 })),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn about(args: &[Value], test: fn(IpAddr) -> bool) -> Computed {
    match args {
        [Value::Ip(ip)] => Ok(Value::Bool(test(*ip))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn is_global_unicast(ip: IpAddr) -> bool {
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(broadcast || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local_unicast(ip))
}

fn is_link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => v6.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
    }
}

fn is_link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn contains_ip(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Cidr(cidr), Value::Ip(ip)] => Ok(Value::Bool(cidr.contains(*ip))),
        [Value::Cidr(cidr), Value::String(s)] => Ok(Value::Bool(cidr.contains(address(s)?))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn contains_cidr(_: &mut Context<'_>, args: &[Value]) -> Computed {
    let (parent, child) = match args {
        [Value::Cidr(parent), Value::Cidr(child)] => (parent, **child),
        [Value::Cidr(parent), Value::String(s)] => (parent, range(s)?),
        _ => return Err(EvalError::NO_SUCH_OVERLOAD),
    };
    Ok(Value::Bool(parent.bits <= child.bits && parent.contains(child.address)))
}

fn is_mask(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Bool(cidr.masked() == **cidr)),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn masked(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Cidr(Arc::new(cidr.masked()))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

fn prefix_length(_: &mut Context<'_>, args: &[Value]) -> Computed {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Int(i64::from(cidr.bits))),
        _ => Err(EvalError::NO_SUCH_OVERLOAD),
    }
}

/// Cerbos's own, by Go's older package: an address that IPv6 maps from IPv4 is the IPv4 one.
fn in_range(_: &mut Context<'_>, args: &[Value]) -> Computed {
    let [Value::String(address), Value::String(range)] = args else {
        return Err(EvalError::NO_SUCH_OVERLOAD);
    };
    let ip =
        parse_address(address).ok_or_else(|| EvalError::failed(format!("invalid IP address: {address}")))?;
    let invalid = || EvalError::failed(format!("invalid CIDR address: {range}"));
    let (base, bits) = range.split_once('/').ok_or_else(invalid)?;
    let base = parse_address(base).ok_or_else(invalid)?;
    let digits = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
    let bits: u8 = bits.parse().ok().filter(|bits| digits && *bits <= width(base)).ok_or_else(invalid)?;
    let cidr = match mask(base, bits) {
        IpAddr::V6(v6) => match (v6.to_ipv4_mapped(), bits.checked_sub(96)) {
            (Some(v4), Some(bits)) => Cidr { address: IpAddr::V4(v4), bits },
            _ => Cidr { address: IpAddr::V6(v6), bits },
        },
        v4 => Cidr { address: v4, bits },
    };
    Ok(Value::Bool(cidr.contains(ip.to_canonical())))
}
