//! Loads, tests and proves the policies; what is wrong with them is an error of the build.

use fuze_policy::analysis::Property;
use fuze_policy::build::Policies;

fn main() {
    Policies::in_directory("policies")
        .roles(["accounting", "support"])
        .prove(Property::never_auto("personal"))
        .compile();
}
