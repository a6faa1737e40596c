//! Honest tools. Each is declared once, by one line.

use crate::{Answer, Bdsg, Deps, HIRING, OnlyLarge, Query};
use fuze_agent::boundary::{Anywhere, FileSystem, NoEgress, ToEu};
use fuze_agent::effect::{Idempotent, Once, Read};
use fuze_agent::law::data::{Confidential, Personal, Public, SpecialCategory};
use fuze_agent::law::oversight::{Always, Never, When};
use fuze_agent::law::{art9, lawful, residency};
use fuze_agent::logic::{No, Yes};
use fuze_agent::tool::{NoDeps, Uses};
use fuze_agent::{Permit, Retention, Tool, ToolCall, ToolCtx, ToolError};

macro_rules! tools {
    ($($(#[$doc:meta])* $tool:ident $name:literal $data:ty, $egress:ty, $effect:ty, $approval:ty, $secrets:ty, $midway:ty, $needs:ty;)+) => { $(
        $(#[$doc])*
        pub struct $tool;
        impl Tool for $tool {
            type Args = Query;
            type Output = Answer;
            type Data = $data;
            type Egress = $egress;
            type Effect = $effect;
            type Approval = $approval;
            type Secrets = $secrets;
            type RequestsOversight = $midway;
            type Needs = $needs;
            const NAME: &'static str = $name;
            const DESCRIPTION: &'static str = concat!("Does ", $name, ".");
            const RETENTION: Retention = HIRING;
            const FILE_SYSTEM: FileSystem = FileSystem::None;
            const CODE: &'static str = concat!($name, "/1");
            async fn run<'c>(
                &'c self,
                call: Permit<'c, ToolCall<Self>>,
                _: ToolCtx<'c, Self>,
            ) -> Result<Answer, ToolError> {
                Ok(Answer { text: call.into_args()?.id })
            }
        }
    )+ };
}

type Dossiers = Personal<(lawful::Contract, lawful::LegitimateInterests), residency::Eu>;
type Charts =
    SpecialCategory<art9::HealthOrSocialCare<Bdsg>, (lawful::Contract, lawful::Consent), residency::Eu>;
type Donations = SpecialCategory<art9::ExplicitConsent, (lawful::Contract, lawful::Consent), residency::Eu>;

tools! {
    /// Reads a dossier.
    ReadDossier "lookup" Dossiers, NoEgress, Read, Never, No, No, NoDeps;
    /// Records a recommendation; a person approves each.
    RecordDecision "record" Dossiers, NoEgress, Once, Always, No, No, NoDeps;
    /// Pays; a person approves large ones.
    PayOut "pay" Dossiers, ToEu, Once, When<OnlyLarge>, No, No, NoDeps;
    /// Files a note; asks a person in the midst.
    FileNote "file" Dossiers, NoEgress, Idempotent, Never, No, Yes, NoDeps;
    /// Searches the web.
    SearchWeb "search" Public, Anywhere, Read, Never, No, No, NoDeps;
    /// Reads a price list, which is not for everyone.
    ReadPrices "prices" Confidential<residency::Eu>, ToEu, Read, Never, No, No, NoDeps;
    /// Reads a chart, under Art. 9(2)(h).
    ReadChart "chart" Charts, NoEgress, Read, Never, No, No, NoDeps;
    /// Reads donations, under Art. 9(2)(a).
    ReadDonations "donation" Donations, NoEgress, Read, Never, No, No, NoDeps;
    /// Calls an API with a key.
    FetchQuote "fetch" Dossiers, ToEu, Read, Never, Yes, No, NoDeps;
    /// Needs the agent's dependencies.
    StoreNote "store" Dossiers, NoEgress, Idempotent, Never, No, No, Uses<Deps>;
}
