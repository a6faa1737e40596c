//! AI Act (Reg. (EU) 2024/1689), Annex III: the eight areas with their points. The points have legal effect, so the
//! type carries them. Any point other than [`None`] is high-risk (Art. 6(2)).

use crate::logic::{Bool, No, Yes};
use crate::sealed::Sealed;

/// A point of Annex III, or [`None`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a point of AI Act Annex III",
    label = "expected `annex_iii::None` or a point such as `annex_iii::employment::Recruitment`",
    note = "name a point of `fuze_agent::law::annex_iii`; the areas alone have no legal effect"
)]
pub trait Point: Sealed + 'static {
    /// The wire name, such as `employment.recruitment`.
    const NAME: &'static str;
    /// The point, such as `4a`.
    const POINT: &'static str;
    /// Whether it is high-risk.
    type HighRisk: Bool;
}

/// Outside Annex III.
pub struct None;
impl Sealed for None {}
impl Point for None {
    const NAME: &'static str = "none";
    const POINT: &'static str = "none";
    type HighRisk = No;
}

macro_rules! areas {
    ($($(#[$doc:meta])* $area:ident { $($point:ident $name:literal $number:literal;)+ })+) => {
        $(
            $(#[$doc])*
            pub mod $area {
                use super::{Point, Sealed, Yes};
                $(
                    #[doc = concat!("`", stringify!($area), "::", $name, "`, Annex III ", $number, ".")]
                    pub struct $point;
                    impl Sealed for $point {}
                    impl Point for $point {
                        const NAME: &'static str = concat!(stringify!($area), ".", $name);
                        const POINT: &'static str = $number;
                        type HighRisk = Yes;
                    }
                )+
            }
        )+
        /// Every wire name with its point.
        pub const ALL: &[(&str, &str)] =
            &[$($((concat!(stringify!($area), ".", $name), $number)),+),+];
    };
}
areas! {
    /// Annex III 1.
    biometrics {
        RemoteIdentification "remote_identification" "1a";
        SensitiveCategorisation "sensitive_categorisation" "1b";
        EmotionRecognition "emotion_recognition" "1c";
    }
    /// Annex III 2.
    critical_infrastructure {
        SafetyComponent "safety_component" "2";
    }
    /// Annex III 3.
    education {
        Admission "admission" "3a";
        LearningOutcomes "learning_outcomes" "3b";
        LevelAssessment "level_assessment" "3c";
        TestMonitoring "test_monitoring" "3d";
    }
    /// Annex III 4.
    employment {
        Recruitment "recruitment" "4a";
        WorkRelationshipDecisions "work_relationship_decisions" "4b";
    }
    /// Annex III 5.
    essential_services {
        PublicBenefits "public_benefits" "5a";
        Creditworthiness "creditworthiness" "5b";
        LifeHealthInsurance "life_health_insurance" "5c";
        EmergencyDispatch "emergency_dispatch" "5d";
    }
    /// Annex III 6.
    law_enforcement {
        VictimRisk "victim_risk" "6a";
        Polygraph "polygraph" "6b";
        EvidenceReliability "evidence_reliability" "6c";
        OffendingRisk "offending_risk" "6d";
        Profiling "profiling" "6e";
    }
    /// Annex III 7.
    migration {
        Polygraph "polygraph" "7a";
        EntryRisk "entry_risk" "7b";
        ApplicationExamination "application_examination" "7c";
        PersonDetection "person_detection" "7d";
    }
    /// Annex III 8.
    justice_democracy {
        JudicialAssistance "judicial_assistance" "8a";
        ElectionInfluence "election_influence" "8b";
    }
}
