"""How questions about Bulk API v1 are tried: each makes a few calls and says what it saw, in the emulator's words.

Dry: flows alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.flow import Flow
from bulkforce.verify.ground import V2, Batch, Found, Ground, NotSeen, json_of, rows_of, told, value

XML = "application/xml; charset=UTF-8"
WORDS = ("true", "1", "yes", "y", "t", "on", "false", "0", "no", "n", "f", "off")


def bearer_accepted(ground: Ground) -> Flow[Found]:
    """Look at a job with an OAuth header."""
    job = yield from ground.job("insert")
    answer = yield from ground.call("GET", f"/services/async/{{version}}{job}", session=V2)
    return Found(answer.status == 200, told(answer))


def bearer_beside_bad_session(ground: Ground) -> Flow[Found]:
    """Look at a job with an OAuth header, and a session that is none."""
    job = yield from ground.job("insert")
    bad = {"X-SFDC-Session": "Bearer"}
    answer = yield from ground.call("GET", f"/services/async/{{version}}{job}", headers=bad, session=V2)
    return Found(answer.status == 200, told(answer))


def unknown_path_status(ground: Ground) -> Flow[Found]:
    """Ask for a path that is none."""
    answer = yield from ground.v1("GET", "/jobs")
    return Found(answer.status, told(answer))


def wrong_method_status(ground: Ground) -> Flow[Found]:
    """PUT to a job."""
    job = yield from ground.job("insert")
    answer = yield from ground.v1("PUT", job, "", XML)
    return Found(answer.status, told(answer))


def pretty_print(ground: Ground) -> Flow[Found]:
    """Look at a JSON job with and without X-PrettyPrint."""
    job = yield from ground.job("insert", "JSON")
    plain = yield from ground.v1("GET", job)
    pretty = yield from ground.v1("GET", job, X_PrettyPrint="1")
    lines = [answer.body.strip().count(b"\n") for answer in (plain, pretty)]
    return Found(lines[1] > lines[0], f"{lines[0]} line ends without, {lines[1]} with it")


def limit_info_header(ground: Ground) -> Flow[Found]:
    """Look for Sforce-Limit-Info."""
    answer = yield from ground.v1("GET", (yield from ground.job("insert")))
    return Found("sforce-limit-info" in answer.headers, f"headers: {', '.join(sorted(answer.headers))}")


def spec_answer_type(ground: Ground) -> Flow[Found]:
    """Upload a spec to a job that is never run."""
    job = yield from ground.job("insert")
    mapping = "Salesforce Field,Csv Header,Value,Hint\nName,Called,,\n"
    answer = yield from ground.v1("POST", f"{job}/spec", mapping, "text/csv; charset=UTF-8")
    if answer.status >= 300:
        raise NotSeen(f"the spec was refused: {told(answer)}")
    body = answer.body.decode("utf-8", "replace")
    return Found(answer.headers.get("content-type", ""), f"{answer.status}; body: {body!r}")


def unknown_element(ground: Ground) -> Flow[Found]:
    """Create a job with an element of no meaning."""
    document = ground.job_info("insert", more="<surprise>1</surprise>")
    return (yield from _created(ground, document, "ignore", "refuse"))


def any_element_order(ground: Ground) -> Flow[Found]:
    """Create a job with its elements in another order."""
    document = re.sub("(<operation>.*?</operation>)(.*)</jobInfo>", r"\2\1</jobInfo>", ground.job_info("insert"))
    return (yield from _created(ground, document, if_made=True, if_refused=False))


def cut_chunk_size(ground: Ground) -> Flow[Found]:
    """Create a query job with chunks that are too large."""
    document = ground.job_info("query")
    chunks = {"Sforce_Enable_PKChunking": "chunkSize=250001"}
    return (yield from _created(ground, document, if_made=True, if_refused=False, **chunks))


def _created(ground: Ground, document: str, if_made: object, if_refused: object, **headers: str) -> Flow[Found]:
    answer = yield from ground.v1("POST", "/job", document, XML, **headers)
    if answer.status >= 300:
        return Found(if_refused, told(answer))
    ground.made("/job", answer)
    return Found(if_made, told(answer))


def get_follows_content_type(ground: Ground) -> Flow[Found]:
    """Look at a JSON job with a Content-Type of XML."""
    job = yield from ground.job("insert", "JSON")
    answer = yield from ground.v1("GET", job, media="application/xml")
    return Found(answer.media_type == "application/xml", answer.media_type)


def abort_when_done(ground: Ground) -> Flow[Found]:
    """Abort a closed job whose batch has ended."""
    batch = yield from ground.run("insert", f"Name\n{ground.tag}\n")
    yield from ground.v1("POST", batch.job, ground.state_document("Closed"), XML)
    answer = yield from ground.v1("POST", batch.job, ground.state_document("Aborted"), XML)
    return Found(answer.status < 300, f"{told(answer)} {value(answer, 'state')}".strip())


def content_type_must_fit(ground: Ground) -> Flow[Found]:
    """Add CSV to a CSV job, and call it XML."""
    job = yield from ground.job("insert")
    answer = yield from ground.v1("POST", f"{job}/batch", f"Name\n{ground.tag}\n", XML)
    if answer.status >= 300:
        return Found(True, told(answer))
    path = f"{job}/batch/{value(answer, 'id')}"
    batch = yield from ground.ended(path)
    yield from ground.results(path, batch)
    return Found(False, f"{told(answer)}, then {value(batch, 'state')} {value(batch, 'stateMessage')}".strip())


def count_chunked_original(ground: Ground) -> Flow[Found]:
    """Query with PK chunking, and compare the job's count with its list of batches."""
    yield from ground.insert()
    job = yield from ground.job("query", Sforce_Enable_PKChunking="TRUE")
    path = yield from ground.batch(job, f"SELECT Id FROM {ground.sobject}")
    yield from ground.ended(path)
    for _ in range(30):
        listed = (yield from ground.v1("GET", f"{job}/batch")).body.count(b"<batchInfo>")
        if listed > 1:
            break
        yield from ground.pause()
    total = int(value((yield from ground.v1("GET", job)), "numberBatchesTotal") or 0)
    if listed < 2 or total not in {listed, listed - 1}:
        raise NotSeen(f"{listed} batches in the list, {total} in the job's count")
    return Found(total == listed, f"{listed} batches in the list, {total} in the job's count")


def deletes_take_ids_alone(ground: Ground) -> Flow[Found]:
    """Delete a record by a file with its name, too."""
    record = yield from ground.insert()
    batch = yield from ground.run("delete", f"Id,Name\n{record},{ground.tag}\n")
    return Found(batch.failed, batch.seen())


# Rows


def short_csv_row(ground: Ground) -> Flow[Found]:
    """Insert a row with a value too few."""
    return (yield from _row(ground, f"Name,Text__c\n{ground.tag}\n", "fill"))


def long_csv_row(ground: Ground) -> Flow[Found]:
    """Insert a row with a value too many."""
    return (yield from _row(ground, f"Name,Text__c\n{ground.tag},a,b\n", "accepted"))


def csv_type_error(ground: Ground) -> Flow[Found]:
    """Insert a number that is none."""
    return (yield from _row(ground, f"Name,Number__c\n{ground.tag},abc\n", "accepted"))


def xml_type_error(ground: Ground) -> Flow[Found]:
    """Insert a number that is none, in XML."""
    return (yield from _row(ground, ground.as_xml(Name=ground.tag, Number__c="abc"), "accepted", "XML"))


def json_type_error(ground: Ground) -> Flow[Found]:
    """Insert a number that is none, in JSON."""
    content = f'[{{"Name": "{ground.tag}", "Number__c": "abc"}}]'
    return (yield from _row(ground, content, "accepted", "JSON"))


def _row(ground: Ground, content: str, accepted: str, content_type: str = "CSV") -> Flow[Found]:
    batch = yield from ground.run("insert", content, content_type)
    if batch.failed:
        return Found("batch error", batch.seen())
    return Found(accepted if _succeeded(batch) else "row error", batch.seen())


def _succeeded(batch: Batch) -> bool:
    assert batch.result is not None
    text = batch.result.body.decode("utf-8", "replace")
    return (
        batch.rows()[0].get("Success") == "true"
        if text.startswith('"Id"')
        else value(batch.result, "success") == "true"
    )


def lone_empty_value(ground: Ground) -> Flow[Found]:
    """Insert a row whose only value is empty, before one with a value."""
    batch = yield from ground.run("insert", f'Name\n""\n{ground.tag}\n')
    if batch.failed:
        raise NotSeen(batch.seen())
    return Found({1: "blank", 2: "record"}.get(len(batch.rows()), "unknown"), batch.seen())


def duplicate_csv_header(ground: Ground) -> Flow[Found]:
    """Insert a row with a column twice."""
    batch = yield from ground.run("insert", f"Name,Text__c,Text__c\n{ground.tag},first,last\n")
    if batch.failed or batch.rows()[0].get("Success") != "true":
        return Found("refuse", batch.seen())
    kept = yield from ground.text_of(batch.rows()[0]["Id"])
    return Found(kept or "neither", batch.seen())


def true_words(ground: Ground) -> Flow[Found]:
    """Insert words for yes and no into a checkbox, and read which are true."""
    return (yield from _words(ground, wanted=True))


def false_words(ground: Ground) -> Flow[Found]:
    """Insert words for yes and no into a checkbox, and read which are false."""
    return (yield from _words(ground, wanted=False))


def _words(ground: Ground, *, wanted: bool) -> Flow[Found]:
    lines = "".join(f"{ground.tag},{word}\n" for word in (*WORDS, "surprise"))
    batch = yield from ground.run("insert", f"Name,Flag__c\n{lines}")
    if batch.failed:
        raise NotSeen(batch.seen())
    ids = [row["Id"] for row in batch.rows()]
    listed = ", ".join(f"'{one}'" for one in ids if one)
    stored = {one["Id"]: one["Flag__c"] for one in (yield from ground.records("Id, Flag__c", f"Id IN ({listed})"))}
    kept = {word: stored.get(one) for word, one in zip((*WORDS, "surprise"), ids, strict=True)}
    said = ", ".join(f"{word}: {'refused' if found is None else str(found).lower()}" for word, found in kept.items())
    return Found(tuple(word for word, found in kept.items() if found is wanted), said)


def foreign_xml_root(ground: Ground) -> Flow[Found]:
    """Insert XML with a root of another name."""
    content = ground.as_xml(Name=ground.tag).replace("sObjects", "records")
    batch = yield from ground.run("insert", content, "XML")
    none = "Records not found" in batch.seen()
    return Found(("no records" if none else "unreadable") if batch.failed else "accepted", batch.seen())


def record_attributes(ground: Ground) -> Flow[Found]:
    """Insert a record in JSON that names its type, as REST has it."""
    content = f'[{{"attributes": {{"type": "{ground.sobject}"}}, "Name": "{ground.tag}"}}]'
    batch = yield from ground.run("insert", content, "JSON")
    return Found("refuse" if batch.failed or not _succeeded(batch) else "ignore", batch.seen())


def empty_json_text(ground: Ground) -> Flow[Found]:
    """Update a text with an empty string in JSON."""
    record = yield from ground.insert(Text__c="before")
    content = f'[{{"Id": "{record}", "Text__c": ""}}]'
    return (yield from _emptied(ground, record, content, "JSON"))


def empty_xml_text(ground: Ground) -> Flow[Found]:
    """Update a text with an empty element in XML."""
    record = yield from ground.insert(Text__c="before")
    return (yield from _emptied(ground, record, ground.as_xml(Id=record, Text__c=""), "XML"))


def _emptied(ground: Ground, record: str, content: str, content_type: str) -> Flow[Found]:
    batch = yield from ground.run("update", content, content_type)
    if batch.failed or not _succeeded(batch):
        raise NotSeen(batch.seen())
    kept = yield from ground.text_of(record)
    return Found("ignore" if kept else "null", f"afterwards it is {kept!r}")


def lenient_dates(ground: Ground) -> Flow[Found]:
    """Insert a date-time into a date."""
    batch = yield from ground.run("insert", f"Name,Day__c\n{ground.tag},2026-01-31T10:00:00Z\n")
    return Found(not batch.failed and _succeeded(batch), batch.seen())


def duplicate_key_fails_all(ground: Ground) -> Flow[Found]:
    """Upsert two rows with one key."""
    key = f"{ground.tag}-twice"
    batch = yield from ground.run("upsert", f"Name,Key__c\n{ground.tag},{key}\n{ground.tag},{key}\n", key="Key__c")
    if batch.failed:
        raise NotSeen(batch.seen())
    return Found([row.get("Success") for row in batch.rows()] == ["false", "false"], batch.seen())


# Results


def failed_rows_carry_id(ground: Ground) -> Flow[Found]:
    """Update a record with a text that is too long."""
    record = yield from ground.insert()
    batch = yield from ground.run("update", f"Id,Key__c\n{record},{'x' * 300}\n")
    rows = batch.rows()
    if not rows or rows[0].get("Success") != "false":
        raise NotSeen(batch.seen())
    return Found(bool(rows[0]["Id"]), batch.seen())


def extended_error_details(ground: Ground) -> Flow[Found]:
    """Insert a text that is too long, in JSON."""
    batch = yield from ground.run("insert", f'[{{"Name": "{ground.tag}", "Key__c": "{"x" * 300}"}}]', "JSON")
    if batch.result is None or _succeeded(batch):
        raise NotSeen(batch.seen())
    return Found(b"extendedErrorDetails" in batch.result.body, batch.seen())


def failed_xml_id(ground: Ground) -> Flow[Found]:
    """Insert a text that is too long, in XML."""
    batch = yield from ground.run("insert", ground.as_xml(Name=ground.tag, Key__c="x" * 300), "XML")
    if batch.result is None or _succeeded(batch):
        raise NotSeen(batch.seen())
    return Found("nil" if re.search(rb"<id\b[^>]*nil", batch.result.body) else "absent", batch.seen())


def large_numbers(ground: Ground) -> Flow[Found]:
    """Query a number of eleven digits in CSV."""
    answer = yield from _queried(ground, "Number__c", Number__c="16147805824.397")
    number = rows_of(answer)[0]["Number__c"]
    return Found("scientific" if "E" in number else "plain", number)


def csv_datetimes(ground: Ground) -> Flow[Found]:
    """Query a date-time in CSV."""
    answer = yield from _queried(ground, "Moment__c", Moment__c="2026-01-31T10:00:00Z")
    moment = rows_of(answer)[0]["Moment__c"]
    return Found("milliseconds" if moment.isdigit() else "text", moment)


def json_dates(ground: Ground) -> Flow[Found]:
    """Query a date in JSON."""
    answer = yield from _queried(ground, "Day__c", "JSON", Day__c="2026-01-31")
    day = json_of(answer)[0].get("Day__c")
    return Found("text" if isinstance(day, str) else "milliseconds", repr(day))


def json_results(ground: Ground) -> Flow[Found]:
    """Query in JSON, and look at the layout."""
    answer = yield from _queried(ground, "Name", "JSON")
    lines = answer.body.strip().count(b"\n")
    return Found("pretty" if lines > 2 else "compact", f"{lines} line ends for a record")


def parents(ground: Ground) -> Flow[Found]:
    """Query the name of a parent in JSON."""
    parent = yield from ground.insert()
    answer = yield from _queried(ground, "Parent__r.Name", "JSON", Parent__c=parent)
    record = json_of(answer)[0]
    return Found("nested" if isinstance(record.get("Parent__r"), dict) else "flat", f"members: {', '.join(record)}")


def empty_result(ground: Ground) -> Flow[Found]:
    """Query nothing in JSON."""
    answer = yield from ground.query(f"SELECT Id FROM {ground.sobject} WHERE Name = '{ground.tag}-nothing'", "JSON")
    return Found("document" if answer.body.lstrip().startswith(b"[") else "line", repr(answer.body[:60].decode()))


def query_csv_ends_with_newline(ground: Ground) -> Flow[Found]:
    """Query in CSV, and look at the last byte."""
    answer = yield from _queried(ground, "Name")
    return Found(answer.body.endswith(b"\n"), f"last byte: {answer.body[-1:]!r}")


def result_list_prolog(ground: Ground) -> Flow[Found]:
    """List the result files of a query."""
    batch = yield from ground.run("query", f"SELECT Id FROM {ground.sobject} WHERE Name = '{ground.tag}'")
    if batch.result is None:
        raise NotSeen(batch.seen())
    return Found(batch.result.body.startswith(b"<?xml"), batch.result.body[:20].decode())


def _queried(ground: Ground, fields: str, content_type: str = "CSV", **values: str) -> Flow[Answer]:
    record = yield from ground.insert(**values)
    return (yield from ground.query(f"SELECT {fields} FROM {ground.sobject} WHERE Id = '{record}'", content_type))


Trial = Callable[[Ground], Flow[Found]]
