"""The standard objects, as TOML in the form of `schema_files`, and the objects that PK chunking supports."""

from __future__ import annotations

#: Standard objects that PK chunking supports, from the guide of 2026. It also supports all custom objects, and share
#: and history tables by their parent.
PK_CHUNKABLE = frozenset(
    """
    Account AccountContactRelation AccountTeamMember AiVisitSummary Asset AssignedResource Campaign CampaignMember
    CandidateAnswer Case CaseArticle CaseComment CaseRelatedIssue ChangeRequest ChangeRequestRelatedIssue
    ChangeRequestRelatedItem Claim ClaimParticipant Contact ContentDistribution ContentDocument ContentNote
    ContentVersion Contract ContractLineItem ConversationDefinitionEventLog ConversationEntry ConversationReason
    ConversationReasonExcerpt ConversationReasonGroup CustomerProperty EinsteinAnswerFeedback EmailMessage
    EngagementScore Entitlement Event EventRelation FeedItem Incident IncidentRelatedItem Individual InsurancePolicy
    InsurancePolicyAsset InsurancePolicyParticipant Lead LeadInsight LinkedArticle LiveChatTranscript LoginHistory
    LoyaltyAggrPointExprLedger LoyaltyLedger LoyaltyLedgerTraceability LoyaltyMemberCurrency LoyaltyMemberTier
    LoyaltyPartnerProduct LoyaltyProgramMbrPromotion LoyaltyProgramMember LoyaltyProgramPartner
    LoyaltyProgramPartnerLedger MessagingSession MlRetrainingFeedback Note ObjectTerritory2Association Opportunity
    OpportunityContactRole OpportunityHistory OpportunityLineItem OpportunitySplit OpportunityTeamMember Order
    OrderItem Pricebook2 PricebookEntry Problem ProblemIncident ProblemRelatedItem Product2 ProductConsumed
    ProductRequired QuickText Quote QuoteLineItem ReplyText ScoreIntelligence ServiceAppointment ServiceContract
    Task TaskRelation TermDocumentFrequency TimeSheetEntry TransactionJournal User UserRole VoiceCall
    VoiceCallRecording Voucher WebCart WorkloadUnit WorkOrder WorkOrderLineItem WorkPlan WorkPlanTemplate
    """.split()  # noqa: SIM905 - a list of words would be 120 lines
)
