//! The words of the law and of the declarations, with the marker types they stand for in `fuze_agent`.
//!
//! The macro crate cannot depend on `fuze-agent`, so the words stand here a second time. A test compares both tables.

/// A word of a declaration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// As the author writes it.
    pub(crate) name: &'static str,
    /// The type or variant in `fuze_agent`.
    pub(crate) marker: &'static str,
    /// The article, empty where the word is not the law's.
    pub(crate) article: &'static str,
}

/// A condition of GDPR Art. 9(2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Art9 {
    /// The word.
    pub(crate) term: Term,
    /// Whether it rests on Union or Member State law, and so needs the reference to it.
    pub(crate) rests_on_law: bool,
    /// Whether GDPR Art. 22(4) admits solely automated decisions on it.
    pub(crate) admits_automated_decisions: bool,
}

/// An area of AI Act Annex III.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Area {
    /// The area.
    pub(crate) name: &'static str,
    /// Its points.
    pub(crate) points: &'static [Term],
}

const fn term(name: &'static str, marker: &'static str, article: &'static str) -> Term {
    Term { name, marker, article }
}

const fn own(name: &'static str, marker: &'static str, article: &'static str, admits: bool) -> Art9 {
    Art9 { term: term(name, marker, article), rests_on_law: false, admits_automated_decisions: admits }
}

const fn resting_on_law(
    name: &'static str,
    marker: &'static str,
    article: &'static str,
    admits: bool,
) -> Art9 {
    Art9 { term: term(name, marker, article), rests_on_law: true, admits_automated_decisions: admits }
}

/// Classes of data, from the least to the most protected.
pub(crate) const CLASSIFICATION: &[Term] = &[
    term("public", "Public", ""),
    term("confidential", "Confidential", ""),
    term("personal", "Personal", "GDPR Art. 4(1)"),
    term("special_category", "SpecialCategory", "GDPR Art. 9(1)"),
];

/// GDPR Art. 6(1).
pub(crate) const LAWFUL_BASIS: &[Term] = &[
    term("consent", "Consent", "Art. 6(1)(a)"),
    term("contract", "Contract", "Art. 6(1)(b)"),
    term("legal_obligation", "LegalObligation", "Art. 6(1)(c)"),
    term("vital_interests", "VitalInterests", "Art. 6(1)(d)"),
    term("public_task", "PublicTask", "Art. 6(1)(e)"),
    term("legitimate_interests", "LegitimateInterests", "Art. 6(1)(f)"),
];

/// GDPR Art. 9(2).
pub(crate) const ART9_BASIS: &[Art9] = &[
    own("explicit_consent", "ExplicitConsent", "Art. 9(2)(a)", true),
    resting_on_law("employment_social_security", "EmploymentSocialSecurity", "Art. 9(2)(b)", false),
    own("vital_interests_incapable", "VitalInterestsIncapable", "Art. 9(2)(c)", false),
    own("non_profit_members", "NonProfitMembers", "Art. 9(2)(d)", false),
    own("manifestly_public", "ManifestlyPublic", "Art. 9(2)(e)", false),
    own("legal_claims", "LegalClaims", "Art. 9(2)(f)", false),
    resting_on_law("substantial_public_interest", "SubstantialPublicInterest", "Art. 9(2)(g)", true),
    resting_on_law("health_or_social_care", "HealthOrSocialCare", "Art. 9(2)(h)", false),
    resting_on_law("public_health", "PublicHealth", "Art. 9(2)(i)", false),
    resting_on_law("archiving_research_statistics", "ArchivingResearchStatistics", "Art. 9(2)(j)", false),
];

/// GDPR Art. 22(2).
pub(crate) const ART22_BASIS: &[Term] = &[
    term("contract_necessity", "ContractNecessity", "Art. 22(2)(a)"),
    term("authorised_by_law", "AuthorisedByLaw", "Art. 22(2)(b)"),
    term("explicit_consent", "ExplicitConsent", "Art. 22(2)(c)"),
];

/// Residencies from the narrowest to the widest: each lies within those after it.
pub(crate) const RESIDENCY: &[Term] = &[
    term("eu", "Eu", ""),
    term("eea", "Eea", ""),
    term("adequate", "Adequate", "GDPR Art. 45"),
    term("us", "Us", ""),
    term("other", "Other", ""),
];

/// Egresses that are a single word; `hosts(…)` comes on top.
pub(crate) const EGRESS: &[Term] = &[
    term("none", "NoEgress", ""),
    term("eu", "ToEu", ""),
    term("eea", "ToEea", ""),
    term("any", "Anywhere", ""),
];

/// What of the file system a tool touches.
pub(crate) const FILE_SYSTEM: &[Term] =
    &[term("none", "None", ""), term("read", "Read", ""), term("read_write", "ReadWrite", "")];

/// Effect classes.
pub(crate) const EFFECT: &[Term] =
    &[term("read", "Read", ""), term("idempotent", "Idempotent", ""), term("once", "Once", "")];

/// AI Act Annex III. The article is the point.
pub(crate) const ANNEX_III: &[Area] = &[
    Area {
        name: "biometrics",
        points: &[
            term("remote_identification", "RemoteIdentification", "1a"),
            term("sensitive_categorisation", "SensitiveCategorisation", "1b"),
            term("emotion_recognition", "EmotionRecognition", "1c"),
        ],
    },
    Area { name: "critical_infrastructure", points: &[term("safety_component", "SafetyComponent", "2")] },
    Area {
        name: "education",
        points: &[
            term("admission", "Admission", "3a"),
            term("learning_outcomes", "LearningOutcomes", "3b"),
            term("level_assessment", "LevelAssessment", "3c"),
            term("test_monitoring", "TestMonitoring", "3d"),
        ],
    },
    Area {
        name: "employment",
        points: &[
            term("recruitment", "Recruitment", "4a"),
            term("work_relationship_decisions", "WorkRelationshipDecisions", "4b"),
        ],
    },
    Area {
        name: "essential_services",
        points: &[
            term("public_benefits", "PublicBenefits", "5a"),
            term("creditworthiness", "Creditworthiness", "5b"),
            term("life_health_insurance", "LifeHealthInsurance", "5c"),
            term("emergency_dispatch", "EmergencyDispatch", "5d"),
        ],
    },
    Area {
        name: "law_enforcement",
        points: &[
            term("victim_risk", "VictimRisk", "6a"),
            term("polygraph", "Polygraph", "6b"),
            term("evidence_reliability", "EvidenceReliability", "6c"),
            term("offending_risk", "OffendingRisk", "6d"),
            term("profiling", "Profiling", "6e"),
        ],
    },
    Area {
        name: "migration",
        points: &[
            term("polygraph", "Polygraph", "7a"),
            term("entry_risk", "EntryRisk", "7b"),
            term("application_examination", "ApplicationExamination", "7c"),
            term("person_detection", "PersonDetection", "7d"),
        ],
    },
    Area {
        name: "justice_democracy",
        points: &[
            term("judicial_assistance", "JudicialAssistance", "8a"),
            term("election_influence", "ElectionInfluence", "8b"),
        ],
    },
];
