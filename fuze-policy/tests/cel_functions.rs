//! Functions on each kind of argument that they take, at the edges of what they take.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use fuze_policy::cel::{Activation, Budget, Principal, Program, Resource, Timestamp, Value};

fn eval(source: &str) -> Result<Value, String> {
    let activation =
        Activation::new(Principal::default(), Resource::default(), Timestamp::new(0, 0, 0).unwrap());
    let program = Program::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    program.eval(&activation, &mut Budget::default()).map_err(|error| error.to_string())
}

#[track_caller]
fn hold(sources: &[&str]) {
    for source in sources {
        let found = eval(source);
        assert!(matches!(found, Ok(Value::Bool(true))), "{source}: {found:?}");
    }
}

#[track_caller]
fn fail(cases: &[(&str, &str)]) {
    for (source, said) in cases {
        let error = eval(source).unwrap_err();
        assert!(error.contains(said), "{source}: {error}");
    }
}

#[test]
fn conversions() {
    hold(&[
        r#"bool(true) && !bool(false) && bool("true") && bool("1") && !bool("false") && !bool("0") && !bool("F")"#,
        r#"double(1.5) == 1.5 && double(1) == 1.0 && double(1u) == 1.0 && double("1.5") == 1.5"#,
        r#"int(1) == 1 && int(1u) == 1 && int(1.9) == 1 && int(-1.9) == -1 && int("12") == 12"#,
        r#"int(duration("1s")) == 1000000000 && int(timestamp("1970-01-01T00:00:01Z")) == 1"#,
        r#"uint(1u) == 1u && uint(1) == 1u && uint(1.9) == 1u && uint(0.0) == 0u && uint("12") == 12u"#,
        r#"duration(duration("1s")) == duration("1s") && timestamp(timestamp("2021-01-01T00:00:00Z")) == timestamp("2021-01-01T00:00:00Z")"#,
        r#"string("a") == "a" && string(b"a") == "a" && string(1) == "1" && string(1u) == "1" && string(1.5) == "1.5" && string(true) == "true""#,
    ]);
    fail(&[
        (r#"bool("yes")"#, "type conversion error"),
        ("int(9223372036854775808.0)", "integer overflow"),
        ("int(-9223372036854775808.0)", "integer overflow"),
        ("int(9223372036854775808u)", "integer overflow"),
        (r#"int("1.5")"#, "type conversion error"),
        ("uint(-1)", "unsigned integer overflow"),
        ("uint(-0.5)", "unsigned integer overflow"),
        ("uint(18446744073709551616.0)", "unsigned integer overflow"),
        (r#"uint("+1")"#, "type conversion error"),
        (r#"uint("x")"#, "type conversion error"),
        (r#"double("x")"#, "type conversion error"),
        ("bool(dyn(1))", "no such overload"),
        ("double(dyn(true))", "no such overload"),
        ("int(dyn(true))", "no such overload"),
        ("uint(dyn(true))", "no such overload"),
    ]);
}

#[test]
fn hierarchies() {
    hold(&[
        r#"hierarchy("a.b") == hierarchy(["a", "b"]) && hierarchy("a/b", "/") == hierarchy("a.b")"#,
        r#"hierarchy("a").immediateParentOf(hierarchy("a.b")) && !hierarchy("a").immediateParentOf(hierarchy("a.b.c"))"#,
        r#"!hierarchy("a").immediateParentOf(hierarchy("b.c")) && hierarchy("a.b").immediateChildOf(hierarchy("a"))"#,
        r#"hierarchy("a.b").siblingOf(hierarchy("a.c")) && !hierarchy("a.b").siblingOf(hierarchy("b.c")) && !hierarchy("a.b").siblingOf(hierarchy("a"))"#,
        r#"hierarchy("a").ancestorOf(hierarchy("a.b.c")) && !hierarchy("a").ancestorOf(hierarchy("a")) && hierarchy("a.b").descendentOf(hierarchy("a"))"#,
        r#"hierarchy("a.b.c").commonAncestors(hierarchy("a.b.d")) == hierarchy("a.b") && hierarchy("a.b").commonAncestors(hierarchy("a.b")) == hierarchy("a")"#,
    ]);
    // Of no part at all; of two such, a Cerbos fails as well.
    hold(&[
        r#"hierarchy([]).commonAncestors(hierarchy("a.b")) == hierarchy([]) && hierarchy("a.b").commonAncestors(hierarchy([])).size() == 0"#,
    ]);
    fail(&[
        (r#"hierarchy(dyn(hierarchy("a.b"))) == hierarchy("a.b")"#, "no such overload"),
        ("hierarchy([]).commonAncestors(hierarchy([]))", "no ancestors"),
    ]);
}

#[test]
fn lists() {
    hold(&[
        "[[1], [[2]]].flatten() == [1, [2]] && [[1], [[2]]].flatten(2) == [1, 2] && [[1]].flatten(0) == [[1]]",
        "lists.range(0) == [] && lists.range(3) == [0, 1, 2]",
    ]);
    fail(&[("[[1]].flatten(-1)", "non-negative"), ("lists.range(-1)", "non-negative")]);
}

#[test]
fn formats_of_unsigned_integers() {
    hold(&[
        r#""%d %b %o %x %X %s".format([10u, 10u, 10u, 10u, 10u, 10u]) == "10 1010 12 a A 10""#,
        r#""%d %b %o %x".format([-10, -10, -10, -10]) == "-10 -1010 -12 -a""#,
        r#""%d %b".format([0, 0]) == "0 0""#,
        r#"math.isNaN(math.sign(double("NaN"))) && math.sqrt(dyn(9u)) == 3.0"#,
    ]);
}

#[test]
fn addresses() {
    hold(&[
        r#"isIP("1:2:3:4:5:6:7::") && isIP("1:2:3:4:5:6:7:8") && isIP("1:2:3:4:5::1.2.3.4") && isIP("::1.2.3.4")"#,
        r#"!isIP("1:2:3:4:5:6:7:8::") && !isIP("::1:2:3:4:5:6:7:8") && !isIP("1:2:3:4:5:6::1.2.3.4")"#,
        r#"cidr("10.0.0.0/8").containsCIDR("10.0.0.0/8") && cidr("10.0.0.0/8").containsCIDR(cidr("10.1.0.0/16"))"#,
        r#"!cidr("10.0.0.0/8").containsCIDR("11.0.0.0/16") && !cidr("10.0.0.0/16").containsCIDR("10.0.0.0/8")"#,
        r#""10.1.2.3".inIPAddrRange("10.0.0.0/08") && "::ffff:10.1.2.3".inIPAddrRange("10.0.0.0/8")"#,
        r#""10.1.2.3".inIPAddrRange("::ffff:10.0.0.0/104") && !"10.1.2.3".inIPAddrRange("::ffff:10.0.0.0/95")"#,
    ]);
    fail(&[
        (r#""10.1.2.3".inIPAddrRange("10.0.0.0/+8")"#, "invalid CIDR address"),
        (r#""10.1.2.3".inIPAddrRange("10.0.0.0/")"#, "invalid CIDR address"),
        (r#""10.1.2.3".inIPAddrRange("10.0.0.0/33")"#, "invalid CIDR address"),
    ]);
}

#[test]
fn numbers_that_are_none() {
    hold(&[
        r#"string(double("-inf")) == "-Inf" && string(double("inf")) == "+Inf" && string(double("nan")) == "NaN""#,
        r#""%f %e".format([double("-inf"), double("nan")]) == "-Infinity NaN""#,
    ]);
}

#[test]
fn what_is_empty_is_no_optional_value() {
    for (zero, other) in [
        (r#"b"""#, r#"b"a""#),
        ("[]", "[1]"),
        ("{}", "{1: 1}"),
        (r#"duration("0s")"#, r#"duration("1s")"#),
        (r#"timestamp("0001-01-01T00:00:00Z")"#, r#"timestamp("0001-01-01T00:00:01Z")"#),
    ] {
        hold(&[
            &format!("!optional.ofNonZeroValue({zero}).hasValue()"),
            &format!("optional.ofNonZeroValue({other}).hasValue()"),
        ]);
    }
    fail(&[("optional.none().value()", "optional.none() dereference")]);
}

#[test]
fn base64_is_padded_or_not() {
    hold(&[
        r#"base64.decode("YQ==") == b"a" && base64.decode("YQ") == b"a" && base64.decode("YWI=") == b"ab" && base64.decode("YWI") == b"ab""#,
        r#"base64.encode(b"\xff\xfe\xfd") == "//79" && base64.decode("//79") == b"\xff\xfe\xfd""#,
    ]);
    for text in ["YQ=", "Y===", "YWJj=", "YWJj==", "YWJj===", "YWJj===="] {
        fail(&[(&format!("base64.decode({text:?})"), "illegal base64 data")]);
    }
}

#[test]
fn days() {
    hold(&[
        r#"timestamp("1600-02-29T00:00:00Z").getDayOfYear() == 59 && timestamp("2000-12-31T00:00:00Z").getDayOfYear() == 365"#,
        r#"timestamp("2000-12-31T00:00:00Z") - timestamp("1999-12-31T00:00:00Z") == duration("8784h")"#,
        r#"timestamp("1900-03-01T00:00:00Z") - timestamp("1900-02-28T00:00:00Z") == duration("24h")"#,
    ]);
    for text in [
        "2021-13-01T00:00:00Z",
        "2021-00-01T00:00:00Z",
        "2021-01-00T00:00:00Z",
        "2021-04-31T00:00:00Z",
        "2021-01-01T00:60:00Z",
        "2021-01-01T00:00:00+00:60",
    ] {
        fail(&[(&format!(r#"timestamp("{text}" + "")"#), "type conversion error")]);
    }
}

#[test]
fn patterns() {
    hold(&[
        r#""aa".matches("^a{2,3}$") && !"aaaa".matches("^a{2,3}$") && "aaaa".matches("^a{2,}$") && "a".matches("a{0,1}")"#,
        r#"!"a".matches("a{01}") && "a{01}".matches("^a{01}$") && !"a".matches("a{1,02}") && "a{1,02}".matches("^a{1,02}$")"#,
        r#"!"a".matches("a{1000,}") && "a".matches("(?P<_x>a)") && "a".matches(r"\Aa\z") && "a\u0007".matches(r"^a[\a]$")"#,
        r#""ab".matches(r"^\S[\S]$") && !"a b".matches(r"^a\Sb$") && "(())".matches("^(?:((a)|[(])+)")"#,
    ]);
    for pattern in ["a{3,2}", "(?P<>a)", "(?P<a-b>a)", "a{1001,}", "a)", r"\1", r"\x{+41}"] {
        assert!(Program::parse(&format!(r#""a".matches(r"{pattern}")"#)).is_err(), "{pattern}");
    }
}

#[test]
fn characters_in_patterns() {
    hold(&[
        r#""a\tb".matches(r"^a\tb$") && "a\nb".matches(r"^a\nb$") && "a\rb".matches(r"^a\rb$")"#,
        r#""a\fb".matches(r"^a\fb$") && "a\vb".matches(r"^a\vb$") && "\u0007".matches(r"^\a$")"#,
        r#""\u0000".matches(r"^\0$") && "\n".matches(r"^\12$") && "A".matches(r"^\101$") && "ÿ".matches(r"^\377$")"#,
        r#""-".matches("^[a-]$") && "a".matches("^[a-a]$") && !"]".matches("^[a-]$")"#,
    ]);
}

#[test]
fn positions_in_text() {
    hold(&[
        r#""abc".lastIndexOf("abc") == 0 && "abc".lastIndexOf("z") == -1 && "abc".lastIndexOf("c", 1) == -1"#,
        r#""abc".indexOf("z") == -1 && "abc".indexOf("c", 3) == -1 && "abc".indexOf("c", 7) == -1"#,
        r#""abc".substring(1, 1) == "" && "abc".substring(3, 3) == """#,
    ]);
}

#[test]
fn sets() {
    hold(&[
        "!sets.equivalent([1], [1, 2]) && !sets.equivalent([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1])",
        "[1, 2].intersect([2, 1]) == [1, 2] && [1, 2, 3].intersect([3, 2]) == [3, 2] && [3, 2].intersect([1, 2, 3]) == [3, 2]",
    ]);
}

#[test]
fn times() {
    hold(&[
        r#"timestamp("2021-01-01T01:02:03Z").getSeconds() == 3 && timestamp("2021-01-01T01:02:03Z").getMinutes() == 2"#,
        r#"timestamp("2021-01-01T01:02:03.5Z") + duration("1s") == timestamp("2021-01-01T01:02:04.5Z")"#,
        r#"timestamp("2021-01-01T01:02:03.5Z") - duration("0.75s") == timestamp("2021-01-01T01:02:02.75Z")"#,
        r#"timestamp("9999-12-31T23:59:59Z").timeSince() == duration("-9223372036854775808ns")"#,
        r#"timestamp("0001-01-01T00:00:00Z").timeSince() == duration("9223372036854775807ns")"#,
        // Go divides in doubles, which round.
        r#"duration("2562046h59m59.999999999s").getHours() == 2562047 && duration("59m59s").getHours() == 0"#,
        r#"duration("5ms") == duration("5000us") && string(duration("1h2m3s4ms5us6ns")) == "3723.004005006s""#,
        r#"string(timestamp("2021-06-01T01:02:03-05:30")) == "2021-06-01T01:02:03-05:30""#,
    ]);
}

#[test]
fn groups_in_replacements() {
    hold(&[
        r#"regex.replace("abc", "(b)", r"[\1]") == "a[b]c" && regex.replace("abc", "b", r"\0\0") == "abbc""#,
    ]);
    fail(&[
        (r#"regex.replace("abc", "b", r"\1")"#, "references group 1 but regex has only 0 group(s)"),
        (r#"regex.replace("abc", "(a)(b)", r"\3")"#, "references group 3 but regex has only 2 group(s)"),
        (r#"regex.replace("abc", "b", r"\x")"#, "must be followed by a digit"),
    ]);
}

#[test]
fn whole_numbers_beyond_doubles_are_text_in_json() {
    hold(&[
        r#"json.encode(9007199254740991) == "9007199254740991" && json.encode(9007199254740992) == "\"9007199254740992\"""#,
        r#"json.encode(9007199254740991u) == "9007199254740991" && json.encode(9007199254740992u) == "\"9007199254740992\"""#,
        r#"json.encode(-9007199254740992) == "\"-9007199254740992\"""#,
    ]);
}

#[test]
fn formats_by_kind() {
    hold(&[
        r#""%f %e".format([1u, 2u]) == "1.000000 2.000000e+00" && "%f %e".format([1, 2]) == "1.000000 2.000000e+00""#,
        r#""%b %o %x %X".format([dyn(1u), dyn(8u), dyn(255u), dyn(255u)]) == "1 10 ff FF" && "%b".format([true]) == "1""#,
        r#""%x".format(["ab"]) == "6162" && "%X".format([b"\xab"]) == "AB""#,
    ]);
    for (clause, value) in [
        ("%b", "\"a\""),
        ("%b", "1.5"),
        ("%o", "\"a\""),
        ("%o", "true"),
        ("%o", "1.5"),
        ("%x", "1.5"),
        ("%x", "true"),
        ("%x", "[1]"),
        ("%f", "\"a\""),
        ("%d", "\"a\""),
        ("%e", "true"),
    ] {
        assert!(Program::parse(&format!("{clause:?}.format([{value}])")).is_err(), "{clause} {value}");
        fail(&[(&format!("{clause:?}.format([dyn({value})])"), "error during formatting")]);
    }
}

#[test]
fn paths_of_shares() {
    hold(&[
        r#"dirPath(r"\\host\share") == r"\\host\share" && dirPath(r"\\host\share\x") == r"\\host\share" && dirPath(r"\\host") == "\\""#,
        r#"dirPath(r"\\host\share\x\y") == r"\\host\share\x" && volumeName(r"\\host\share") == r"\\host\share""#,
        r#"volumeName(r"\\host\\x") == "" && volumeName(r"\\\share\x") == "" && volumeName(r"\\host") == """#,
    ]);
}

#[test]
fn shifts() {
    hold(&[
        "math.bitShiftLeft(1, 0) == 1 && math.bitShiftLeft(1, 64) == 0 && math.bitShiftRight(-1, 1) == 9223372036854775807",
    ]);
    fail(&[("math.bitShiftLeft(1, -1)", "negative offset")]);
}

#[test]
fn identities() {
    hold(&[
        r#"spiffeID("spiffe://td/a").path() == "/a" && spiffeID("spiffe://td").path() == """#,
        r#"spiffeID("spiffe://td0-1.2_3/Az9-._/...").path() == "/Az9-._/...""#,
        r#"spiffeID("spiffe://td/a").trustDomain().name() == "td" && spiffeTrustDomain("td").name() == "td""#,
        r#"spiffeTrustDomain("spiffe://td").name() == "td" && spiffeTrustDomain("spiffe://td/a").name() == "td""#,
        r#"type(dyn(spiffeID("spiffe://td/a"))) == type(dyn(spiffeID("spiffe://td/b")))"#,
        r#"type(dyn(spiffeID("spiffe://td/a"))) != type(dyn(spiffeTrustDomain("td")))"#,
        r#"type(dyn(spiffeMatchAny())) != type(dyn(spiffeTrustDomain("td")))"#,
    ]);
    for (id, said) in [
        ("http://td/a", "scheme is missing or invalid"),
        ("spiffe:///a", "trust domain is missing"),
        ("spiffe://TD/a", "trust domain characters"),
        ("spiffe://t!d/a", "trust domain characters"),
        ("spiffe://td/", "trailing slash"),
        ("spiffe://td//a", "empty segments"),
        ("spiffe://td/.", "dot segments"),
        ("spiffe://td/..", "dot segments"),
        ("spiffe://td/a!", "path segment characters"),
    ] {
        fail(&[(&format!("spiffeID({id:?} + '')"), said)]);
    }
    fail(&[
        (r#"spiffeTrustDomain("" + "")"#, "trust domain is missing"),
        (r#"spiffeTrustDomain("a/" + "b")"#, "trust domain characters"),
    ]);
}

#[test]
fn identities_are_compared_as_cerbos_does_it() {
    hold(&[
        r#"spiffeID("spiffe://td/a") == spiffeID("spiffe://td/a") && spiffeID("spiffe://td/a") != spiffeID("spiffe://td/b")"#,
        r#"dyn(spiffeID("spiffe://td/a")) == dyn("spiffe://td/a") && dyn(spiffeID("spiffe://td/a")) != dyn("spiffe://td/b")"#,
        r#"spiffeTrustDomain("td") == spiffeTrustDomain("td") && spiffeTrustDomain("td") != spiffeTrustDomain("te")"#,
        r#"dyn(spiffeTrustDomain("td")) == dyn("td") && dyn(spiffeTrustDomain("td")) == dyn("spiffe://td/x")"#,
        r#"dyn(spiffeTrustDomain("td")) != dyn("te") && dyn(spiffeTrustDomain("td")) != dyn("TD")"#,
        r#"spiffeMatchAny() != spiffeMatchAny()"#,
        // Turned around, as there.
        r#"dyn(spiffeTrustDomain("b")) < dyn(spiffeTrustDomain("a")) && !(dyn(spiffeTrustDomain("a")) < dyn(spiffeTrustDomain("b")))"#,
        r#"dyn(spiffeTrustDomain("a")) > dyn("b") && !(dyn(spiffeTrustDomain("a")) < dyn("b"))"#,
        r#"dyn(spiffeTrustDomain("a")) <= dyn(spiffeTrustDomain("a"))"#,
    ]);
    let none = "no such overload";
    fail(&[
        (r#"dyn(spiffeTrustDomain("td")) == dyn(spiffeID("spiffe://td/a"))"#, none),
        (r#"dyn(spiffeID("spiffe://td/a")) == dyn(spiffeTrustDomain("td"))"#, none),
        (r#"dyn(spiffeID("spiffe://td/a")) == dyn(1)"#, none),
        (r#"dyn(spiffeTrustDomain("a")) < dyn(spiffeID("spiffe://td/a"))"#, none),
        (r#"dyn(spiffeTrustDomain("a")) < dyn(1)"#, none),
        (r#"dyn(spiffeID(dyn(spiffeID("spiffe://td/a"))))"#, none),
        (r#"dyn(spiffeTrustDomain(dyn(spiffeTrustDomain("td"))))"#, none),
        (r#"dyn(spiffeMatchAny()).path()"#, none),
        (r#"dyn(spiffeTrustDomain("td")).path()"#, none),
        (r#"dyn(spiffeID("spiffe://td/a")).name()"#, none),
        (r#"dyn(spiffeID("spiffe://td/a")).isMemberOf(dyn(spiffeID("spiffe://td/a")))"#, none),
        (r#"spiffeMatchExact(dyn(spiffeTrustDomain("td")))"#, none),
        (r#"spiffeMatchTrustDomain(dyn(spiffeID("spiffe://td/a")))"#, none),
    ]);
}

#[test]
fn identities_are_matched() {
    hold(&[
        r#"spiffeID("spiffe://td/a").isMemberOf(spiffeTrustDomain("td")) && !spiffeID("spiffe://td/a").isMemberOf(spiffeTrustDomain("te"))"#,
        r#"spiffeMatchAny().matchesID("spiffe://td/a") && spiffeMatchAny().matchesID(spiffeID("spiffe://td/a"))"#,
        r#"spiffeMatchExact("spiffe://td/a").matchesID("spiffe://td/a") && !spiffeMatchExact("spiffe://td/a").matchesID("spiffe://td/b")"#,
        r#"spiffeMatchExact(spiffeID("spiffe://td/a")).matchesID(spiffeID("spiffe://td/a"))"#,
        r#"spiffeMatchOneOf(["spiffe://td/a", "spiffe://td/b"]).matchesID("spiffe://td/b")"#,
        r#"!spiffeMatchOneOf(["spiffe://td/a", "spiffe://td/b"]).matchesID("spiffe://td/c")"#,
        r#"spiffeMatchOneOf([spiffeID("spiffe://td/a")]).matchesID("spiffe://td/a")"#,
        r#"spiffeMatchTrustDomain("td").matchesID("spiffe://td/c") && !spiffeMatchTrustDomain(spiffeTrustDomain("td")).matchesID("spiffe://te/c")"#,
    ]);
    fail(&[
        (r#"spiffeMatchAny().matchesID("x" + "")"#, "scheme is missing or invalid"),
        (r#"spiffeMatchOneOf(["x" + ""])"#, "no such overload"),
    ]);
}
