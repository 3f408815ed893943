"""How questions about Bulk API 2.0 are tried: each makes a few calls and says what it saw, in the emulator's words.

Dry: flows alone.
"""

from __future__ import annotations

import base64
import binascii
import gzip

from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.flow import Flow
from bulkforce.verify.ground import Found, Ground, NotSeen, rows_of, told, value


def second_upload(ground: Ground) -> Flow[Found]:
    """Upload to a job twice, then complete it."""
    job = yield from ground.job2()
    yield from ground.put(job, f"Name\n{ground.tag}\n")
    again = yield from ground.put(job, f"Name\n{ground.tag}\n")
    if again.status >= 300:
        return Found("at once", told(again))
    completed = yield from ground.state2(job, "UploadComplete")
    if completed.status >= 300:
        return Found("at the commit", told(completed))
    ended = yield from ground.ended2(job)
    yield from ground.file2(job, "successfulResults")
    return Found("accepted", f"{value(ended, 'state')}, {value(ended, 'numberRecordsProcessed')} records")


def complete_without_upload(ground: Ground) -> Flow[Found]:
    """Complete a job that nothing was uploaded to."""
    job = yield from ground.job2()
    answer = yield from ground.state2(job, "UploadComplete")
    return Found(answer.status < 300, told(answer))


def complete_again(ground: Ground) -> Flow[Found]:
    """Complete a job twice."""
    job = yield from _completed(ground)
    again = yield from ground.state2(job, "UploadComplete")
    yield from ground.ended2(job)
    yield from ground.file2(job, "successfulResults")
    return Found("accept" if again.status < 300 else "refuse", told(again))


def abort_after_upload(ground: Ground) -> Flow[Found]:
    """Complete a job of 200 records, and abort it at once."""
    job = yield from _completed(ground, 200)
    before = value((yield from ground.v2("GET", job)), "state")
    answer = yield from ground.state2(job, "Aborted")
    yield from ground.ended2(job)
    yield from ground.file2(job, "successfulResults")
    if answer.status >= 300 and before in {"JobComplete", "Failed"}:
        raise NotSeen(f"it was too late: the job was {before} already")
    return Found(answer.status < 300, f"it was {before}; {told(answer)}")


def _completed(ground: Ground, rows: int = 1) -> Flow[str]:
    job = yield from ground.job2()
    yield from ground.put(job, "Name\n" + f"{ground.tag}\n" * rows)
    yield from ground.state2(job, "UploadComplete")
    return job


def counters_before_upload(ground: Ground) -> Flow[Found]:
    """Look at a job that nothing was uploaded to."""
    answer = yield from ground.v2("GET", (yield from ground.job2()))
    return Found(b"numberRecordsProcessed" in answer.body, told(answer))


def packed_uploads(ground: Ground) -> Flow[Found]:
    """Upload a file that is packed with gzip."""
    job = yield from ground.job2()
    packed = gzip.compress(f"Name\n{ground.tag}\n".encode(), mtime=0)
    answer = yield from ground.put(job, packed, Content_Encoding="gzip")
    if answer.status >= 300:
        return Found(False, told(answer))
    yield from ground.state2(job, "UploadComplete")
    ended = yield from ground.ended2(job)
    rows = rows_of((yield from ground.file2(job, "successfulResults")))
    return Found(len(rows) == 1, f"{value(ended, 'state')} {value(ended, 'errorMessage')}".strip())


def duplicate_keys_within(ground: Ground) -> Flow[Found]:
    """Upsert 250 records, the last of them with the first one's key."""
    keys = [f"{ground.tag}-{number}" for number in (*range(249), 0)]
    rows = "".join(f"{ground.tag},{key}\n" for key in keys)
    job, ended = yield from ground.run2(f"Name,Key__c\n{rows}", "upsert", externalIdFieldName="Key__c")
    yield from ground.file2(job, "successfulResults")
    failed = int(value(ended, "numberRecordsFailed") or 0)
    if value(ended, "state") != "JobComplete":
        raise NotSeen(_end(ended))
    return Found("batch" if failed else "transaction", f"{failed} of 250 failed")


def header_only(ground: Ground) -> Flow[Found]:
    """Load a file of a header alone."""
    _, ended = yield from ground.run2("Name\n")
    return Found("complete" if value(ended, "state") == "JobComplete" else "fail", _end(ended))


def line_ends_checked(ground: Ground) -> Flow[Found]:
    """Load files with some CRLF into a job whose line ends are LF: after the header, and within quotes."""
    job, after_header = yield from ground.run2(f"Name\n{ground.tag}\r\n{ground.tag}\r\n")
    yield from ground.file2(job, "successfulResults")
    if value(after_header, "state") == "JobComplete":
        return Found("header", f"CRLF after the header: {_end(after_header)}")
    job, in_quotes = yield from ground.run2(f'Name,Text__c\n{ground.tag},"two\r\nlines"\n')
    yield from ground.file2(job, "successfulResults")
    fine = value(in_quotes, "state") == "JobComplete"
    return Found("outside quotes" if fine else "everywhere", f"CRLF within quotes: {_end(in_quotes)}")


def _end(job: Answer) -> str:
    return f"{value(job, 'state')} {value(job, 'errorMessage')}".strip()


def unknown_member(ground: Ground) -> Flow[Found]:
    """Create a job with a member of no meaning."""
    answer = yield from ground.create2("insert", surprise="1")
    if answer.status >= 300:
        return Found("refuse", told(answer))
    ground.made("/ingest", answer)
    return Found("ignore", told(answer))


def unknown_filter(ground: Ground) -> Flow[Found]:
    """List jobs of a type that is none."""
    answer = yield from ground.v2("GET", "/ingest?jobType=Surprise")
    if answer.status >= 300:
        return Found("refuse", told(answer))
    listed = answer.body.count(b'"object"')
    return Found("nothing" if not listed else "ignored", f"{told(answer)}, {listed} jobs")


def early_results(ground: Ground) -> Flow[Found]:
    """Ask for the results of a job that was not completed."""
    answer = yield from ground.v2("GET", f"{yield from ground.job2()}/successfulResults")
    return Found("no content" if answer.status == 204 else "refuse" if answer.status >= 300 else "header", told(answer))


def empty_failed_results(ground: Ground) -> Flow[Found]:
    """Ask for failed records where there are none."""
    return (yield from _empty(ground, "failedResults"))


def empty_other_files(ground: Ground) -> Flow[Found]:
    """Ask for unprocessed records where there are none."""
    return (yield from _empty(ground, "unprocessedrecords"))


def _empty(ground: Ground, name: str) -> Flow[Found]:
    job, _ = yield from ground.run2(f"Name\n{ground.tag}\n")
    yield from ground.file2(job, "successfulResults")
    answer = yield from ground.file2(job, name)
    return Found("no content" if answer.status == 204 else "header", f"{answer.status} {answer.body[:60]!r}")


def files_end_with_line_end(ground: Ground) -> Flow[Found]:
    """Load a record, and look at the last byte of its results."""
    answer = yield from _written(ground, Name=ground.tag)
    return Found(answer.body.endswith((b"\n", b"\r")), f"last byte: {answer.body[-1:]!r}")


def failed_results_carry_id(ground: Ground) -> Flow[Found]:
    """Update a record with a text that is too long."""
    record = yield from ground.insert()
    job, ended = yield from ground.run2(f"Id,Key__c\n{record},{'x' * 300}\n", "update")
    rows = rows_of((yield from ground.file2(job, "failedResults")))
    if not rows:
        raise NotSeen(_end(ended))
    return Found(bool(rows[0].get("sf__Id")), rows[0].get("sf__Error", ""))


def number_echo(ground: Ground) -> Flow[Found]:
    """Load a number of eleven digits, and see how it comes back."""
    answer = yield from _written(ground, Name=ground.tag, Number__c="16147805824.397")
    number = rows_of(answer)[0]["Number__c"]
    return Found("double" if "E" in number else "as sent", number)


def null_echo(ground: Ground) -> Flow[Found]:
    """Load `#N/A`, and see how it comes back."""
    answer = yield from _written(ground, Name=ground.tag, Text__c="#N/A")
    text = rows_of(answer)[0]["Text__c"]
    return Found("empty" if not text else "as sent", repr(text))


def result_line_ends(ground: Ground) -> Flow[Found]:
    """Load a file with CRLF, and look at the line ends of its results."""
    job, _ = yield from ground.run2(f"Name\r\n{ground.tag}\r\n", lineEnding="CRLF")
    answer = yield from ground.file2(job, "successfulResults")
    return Found("job" if b"\r\n" in answer.body else "LF", f"{answer.body.count(bytes([13]))} CR in the file")


def _written(ground: Ground, **values: str) -> Flow[Answer]:
    job, ended = yield from ground.run2(f"{','.join(values)}\n{','.join(values.values())}\n")
    answer = yield from ground.file2(job, "successfulResults")
    if not rows_of(answer):
        raise NotSeen(f"the record was not written: {_end(ended)}")
    return answer


def refused_rows_unprocessed(ground: Ground) -> Flow[Found]:
    """Load a file with a column that the object lacks."""
    job, ended = yield from ground.run2(f"Name,Surprise__c\n{ground.tag},1\n")
    rows = rows_of((yield from ground.file2(job, "unprocessedrecords")))
    return Found(bool(rows), f"{_end(ended)}; {len(rows)} rows")


def bad_locator_status(ground: Ground) -> Flow[Found]:
    """Ask for a part of a query's results by a locator that is none."""
    job = yield from _query(ground)
    answer = yield from ground.v2("GET", f"{job}/results?locator=surprise")
    return Found(answer.status, told(answer))


def locators(ground: Ground) -> Flow[Found]:
    """Ask for one record at a time, and look at the locator."""
    job = yield from _query(ground)
    answer = yield from ground.v2("GET", f"{job}/results?maxRecords=1")
    locator = answer.headers.get("sforce-locator", "")
    if locator in {"", "null"}:
        raise NotSeen("there was only one part")
    try:
        decoded = base64.b64decode(locator + "==").decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    return Found("row number" if decoded == "1" else "opaque", f"{len(locator)} characters")


def last_pages_url(ground: Ground) -> Flow[Found]:
    """Ask for links to all parts of a query's results."""
    answer = yield from ground.v2("GET", f"{yield from _query(ground)}/resultPages")
    if answer.status >= 300:
        raise NotSeen(told(answer))
    named = b"nextRecordsUrl" in answer.body or b"nextRecordUrl" in answer.body
    return Found("null" if named else "absent", told(answer))


def _query(ground: Ground) -> Flow[str]:
    """Query two records, and return the job when it has ended."""
    yield from ground.insert()
    yield from ground.insert()
    soql = f"SELECT Id FROM {ground.sobject} WHERE Name = '{ground.tag}'"
    asked = f'{{"operation": "query", "query": "{soql}"}}'
    answer = yield from ground.v2("POST", "/query", asked, "application/json")
    if answer.status >= 300:
        raise NotSeen(f"the query was refused: {told(answer)}")
    job = f"/query/{value(answer, 'id')}"
    yield from ground.ended2(job)
    return job
