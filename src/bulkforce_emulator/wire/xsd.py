"""`AsyncApi.xsd`: the shapes of the XML documents. Written from the documents; it is not the server's own."""

from __future__ import annotations

from bulkforce_emulator.formats.documents import NAMESPACE

_JOB = (
    "id operation object createdById createdDate:dateTime systemModstamp:dateTime state externalIdFieldName "
    "concurrencyMode contentType numberBatchesQueued:int numberBatchesInProgress:int numberBatchesCompleted:int "
    "numberBatchesFailed:int numberBatchesTotal:int numberRecordsProcessed:int numberRetries:int apiVersion "
    "assignmentRuleId numberRecordsFailed:int totalProcessingTime:long apiActiveProcessingTime:long "
    "apexProcessingTime:long"
)
_BATCH = (
    "id jobId state stateMessage createdDate:dateTime systemModstamp:dateTime numberRecordsProcessed:int "
    "numberRecordsFailed:int totalProcessingTime:long apiActiveProcessingTime:long apexProcessingTime:long"
)


def _type(name: str, members: str) -> str:
    lines = []
    for member in members.split():
        element, _, kind = member.partition(":")
        lines.append(f'      <xs:element name="{element}" type="xs:{kind or "string"}" minOccurs="0"/>')
    body = "\n".join(lines)
    return f'  <xs:complexType name="{name}">\n    <xs:sequence>\n{body}\n    </xs:sequence>\n  </xs:complexType>\n'


ASYNC_API_XSD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" '
    'elementFormDefault="qualified">\n'
    '  <xs:element name="jobInfo" type="JobInfo"/>\n'
    '  <xs:element name="batchInfo" type="BatchInfo"/>\n'
    '  <xs:element name="error" type="Error"/>\n'
    + _type("JobInfo", _JOB)
    + _type("BatchInfo", _BATCH)
    + _type("Error", "exceptionCode exceptionMessage")
    + "</xs:schema>\n"
).encode()
