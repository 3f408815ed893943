"""Decide which queries the org can split by record ids, without asking it.

Source: developer guide, "PK Chunking" (list of 2026). What the org answers for an object that it cannot split is not
known.
"""

from __future__ import annotations

import re
from typing import Final

from bulkforce.protocol.soql import Query

STANDARD: Final = frozenset(
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
    OpportunityContactRole OpportunityHistory OpportunityLineItem OpportunitySplit OpportunityTeamMember Order OrderItem
    Pricebook2 PricebookEntry Problem ProblemIncident ProblemRelatedItem Product2 ProductConsumed ProductRequired
    QuickText Quote QuoteLineItem ReplyText ScoreIntelligence ServiceAppointment ServiceContract Task TaskRelation
    TermDocumentFrequency TimeSheetEntry TransactionJournal User UserRole VoiceCall VoiceCallRecording Voucher WebCart
    WorkloadUnit WorkOrder WorkOrderLineItem WorkPlan WorkPlanTemplate
    """.lower().split()
)
_OTHER_CLAUSES: Final = frozenset({"SELECT", "FROM", "WHERE"})
_CUSTOM: Final = re.compile(r"__c$", re.IGNORECASE)
_CHILD_TABLE: Final = re.compile(r"(Share|History)$", re.IGNORECASE)


def is_whole(query: Query) -> bool:
    """Whether the chunks together give the result of the query: LIMIT and OFFSET would apply to each of them."""
    return not query.clauses.keys() & {"LIMIT", "OFFSET"}


def is_chunkable(query: Query) -> bool:
    """Whether the org can be trusted to split the query: its object is on the list, and its only clause is WHERE.

    For share and history tables the org must be given the parent, so they are split only if the user asks for it.
    """
    known = query.object.lower() in STANDARD or bool(_CUSTOM.search(query.object))
    return known and not query.clauses.keys() - _OTHER_CLAUSES


def has_parent(query: Query) -> bool:
    """Whether the object is a share or history table, which is split by the ids of its parent."""
    return bool(_CHILD_TABLE.search(query.object))
