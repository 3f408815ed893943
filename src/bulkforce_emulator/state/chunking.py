"""PK chunking: the header's options, and the id ranges that a query is split into."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.ids import canonical, from_base62, to_base62
from bulkforce_emulator.state.store import quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.store import Store

_DIGITS = 9
DEFAULT_CHUNK_SIZE = 100_000
#: Characters of an id that count, without key prefix and check characters.
_DIGITS = 12
#: The guide's list of 2026. Custom objects are supported, all of them; share and history tables by `parent`.
SUPPORTED = frozenset(
    """
    Account AccountContactRelation AccountTeamMember AiVisitSummary Asset AssignedResource Campaign CampaignMember CandidateAnswer
    Case CaseArticle CaseComment CaseRelatedIssue ChangeRequest ChangeRequestRelatedIssue ChangeRequestRelatedItem Claim
    ClaimParticipant Contact ContentDistribution ContentDocument ContentNote ContentVersion Contract ContractLineItem
    ConversationDefinitionEventLog ConversationEntry ConversationReason ConversationReasonExcerpt ConversationReasonGroup
    CustomerProperty EinsteinAnswerFeedback EmailMessage EngagementScore Entitlement Event EventRelation FeedItem Incident
    IncidentRelatedItem Individual InsurancePolicy InsurancePolicyAsset InsurancePolicyParticipant Lead LeadInsight LinkedArticle
    LiveChatTranscript LoginHistory LoyaltyAggrPointExprLedger LoyaltyLedger LoyaltyLedgerTraceability LoyaltyMemberCurrency
    LoyaltyMemberTier LoyaltyPartnerProduct LoyaltyProgramMbrPromotion LoyaltyProgramMember LoyaltyProgramPartner
    LoyaltyProgramPartnerLedger MessagingSession MlRetrainingFeedback Note ObjectTerritory2Association Opportunity
    OpportunityContactRole OpportunityHistory OpportunityLineItem OpportunitySplit OpportunityTeamMember Order OrderItem Pricebook2
    PricebookEntry Problem ProblemIncident ProblemRelatedItem Product2 ProductConsumed ProductRequired QuickText Quote QuoteLineItem
    ReplyText ScoreIntelligence ServiceAppointment ServiceContract Task TaskRelation TermDocumentFrequency TimeSheetEntry
    TransactionJournal User UserRole VoiceCall VoiceCallRecording Voucher WebCart WorkloadUnit WorkOrder WorkOrderLineItem WorkPlan
    WorkPlanTemplate
    """.split()  # noqa: SIM905 - a list of words would be 120 lines
)


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """What `Sforce-Enable-PKChunking` says."""

    chunk_size: int = DEFAULT_CHUNK_SIZE
    parent: str | None = None
    start_row: str | None = None


def read_header(value: str | None, settings: Settings) -> ChunkOptions | None:
    """Read the header: TRUE, FALSE, or options with semicolons between and after them, in any letter case.

    Raises:
        ApiError: A chunk size that is no number or too large where that is refused, or a start that is no id.
    """
    if value is None:
        return None
    size, parent, start = DEFAULT_CHUNK_SIZE, None, None
    wanted = False
    for part in filter(None, (part.strip() for part in value.split(";"))):
        name, _, argument = (word.strip() for word in part.partition("="))
        match name.lower():
            case "true":
                wanted = True
            case "false":
                return None
            case "chunksize":
                wanted, size = True, _size(argument, settings)
            case "parent":
                wanted, parent = True, argument
            case "startrow":
                wanted, start = True, _start(argument, settings)
            case _:
                pass  # useSampledData and whatever comes
    return ChunkOptions(size, parent, start) if wanted else None


def _size(argument: str, settings: Settings) -> int:
    size = int(argument) if argument.isdecimal() and len(argument) <= _DIGITS else 0
    if size == 0:
        raise ApiError.of(settings.texts.calls.chunk_size_unreadable, given=argument)
    if size > settings.limits.chunk_size and not settings.cut_chunk_size:
        raise ApiError.of(settings.texts.calls.chunk_size_too_large, given=size, most=settings.limits.chunk_size)
    return min(size, settings.limits.chunk_size)


def _start(argument: str, settings: Settings) -> str:
    if canonical(pa.array([argument])).null_count:
        raise ApiError.of(settings.texts.calls.chunk_start_unreadable, given=argument)
    return argument


def chunked(options: ChunkOptions, sobject: SObject, schema: Schema, settings: Settings) -> tuple[SObject, str]:
    """The object whose ids are cut, and the field that holds them.

    It is the `Id` of the object itself, or in a share or history table the field that names the parent (our choice: the guide does not show it).

    Raises:
        ApiError: It is not one that can be chunked.
    """
    texts = settings.texts.calls
    parent = sobject if options.parent is None else schema.get(options.parent)
    if parent is None:
        raise ApiError.of(texts.object_unknown, name=options.parent)
    if not parent.custom and parent.name not in SUPPORTED:
        raise ApiError.of(texts.chunk_object_unfit, name=parent.name)
    if parent is sobject:
        return parent, "Id"
    for field in sobject.fields.values():
        if parent.name in field.reference_to:
            return parent, field.name
    raise ApiError.of(texts.chunk_parent_unfit, name=sobject.name, parent=parent.name)


def ranges(options: ChunkOptions, sobject: SObject, store: Store) -> list[tuple[str, str]]:
    """The borders of the chunks, lower ones included and upper ones not; all records count, deleted ones too."""
    table = store.query(f'SELECT min("Id") AS low, max("Id") AS high FROM {quoted(sobject.name)}')  # noqa: S608
    low, high = table["low"][0].as_py(), table["high"][0].as_py()
    if low is None:
        low = high = f"{sobject.key_prefix}{'0' * _DIGITS}"
    first = from_base62((options.start_row or low)[3:15])
    last = from_base62(high[3:15])
    borders = [*range(first, last + 1, options.chunk_size)] or [first]
    borders.append(borders[-1] + options.chunk_size)
    written = [sobject.key_prefix + to_base62(border, _DIGITS) for border in borders]
    return list(pairwise(written))
