"""The page at `/`, as it comes over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from tests.emulator.wire import NAMESPACE, Answer, Wire

from bulkforce_emulator import Emulator, Fault, Mishap, Pace
from bulkforce_emulator.server.page.views import BATCHES_SHOWN, JOBS_SHOWN
from bulkforce_emulator.uploads import RowError

HOME = "/_emulator/page"
MARKUP = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a reader of the page gets: text, links, rows of tables."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._in_cell = False
        # A place where a word may wrap is no end of it.
        self.feed(answer.text.replace("<wbr>", ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.words += data.split()
        if self._in_cell:
            self.rows[-1][-1] = " ".join([*self.rows[-1][-1].split(), *data.split()])

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def row(self, start: str) -> dict[str, str]:
        """The row whose first cell is this, by the headings of its table."""
        place = next(place for place, row in enumerate(self.rows) if row and row[0] == start)
        heads = next(
            row for row in self.rows[place::-1] if row[0] in {"Job ID", "Batch ID", "Status code", "State message"}
        )
        return dict(zip(heads, self.rows[place], strict=True))


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


def page(wire: Wire, path: str = "/") -> Page:
    answer = wire.ask("GET", path)
    assert (answer.status, answer.type) == (200, "text/html; charset=utf-8"), answer.text
    return Page(answer)


def test_empty_page_says_how_to_connect(wire: Wire) -> None:
    text = page(wire).text
    assert "No jobs yet" in text
    assert f"export BULKFORCE_INSTANCE_URL='{wire.org.base_url}'" in text
    assert f"export BULKFORCE_ACCESS_TOKEN='{wire.org.session_id}'" in text


def test_list_tells_each_job(wire: Wire) -> None:
    job = wire.create("insert", "Contact", concurrencyMode="Serial")
    wire.run(job, "LastName,FirstName\nHopper,Grace\n,Nobody\n")
    assert page(wire).row(job)["End time"] == "not yet"
    wire.state(job, "Closed")
    row = page(wire).row(job)
    assert row["End time"] != "not yet"
    assert [row[name] for name in ("Operation", "Object", "Content type", "Mode", "State", "Submitted by")] == [
        "insert", "Contact", "CSV", "Serial", "Closed", "admin@emulator.example",
    ]  # fmt: skip
    assert [row[name] for name in ("Batches", "Records processed", "Records failed", "Progress")] == [
        "1 / 1",
        "2",
        "1",
        "100 % 100 %",
    ]


def test_list_is_narrowed_by_state_and_object(wire: Wire) -> None:
    first, second = wire.create("insert", "Contact"), wire.create("insert", "Account")
    wire.state(second, "Closed")
    assert {first, second} <= set(page(wire).words)
    assert {first, second} & set(page(wire, "/?state=Closed").words) == {second}
    assert {first, second} & set(page(wire, "/?object=Contact").words) == {first}
    assert {first, second} & set(page(wire, "/?object=Contact&state=Closed").words) == set()


def test_list_has_pages_and_bears_any_number(wire: Wire) -> None:
    jobs = [wire.create("insert", "Contact") for _ in range(JOBS_SHOWN + 1)]
    first = page(wire)
    assert jobs[-1] in first.words
    assert jobs[0] not in first.words
    assert "/?open=2" in first.links
    assert jobs[0] in page(wire, "/?open=2").words
    for number in ("0", "-1", "x", "99999999", "9" * 5000):
        page(wire, f"/?open={number}")


def test_forgotten_jobs_are_not_listed(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    wire.org.clock.advance(days=8)
    assert job not in page(wire).words
    assert wire.ask("GET", f"{HOME}/jobs/{job}").status == 404


@pytest.mark.parametrize(
    ("content_type", "media", "body"),
    [
        ("CSV", "text/csv", "LastName,FirstName\n,a\nHopper,b\n,c\n"),
        ("JSON", "application/json", '[{"FirstName": "a"}, {"LastName": "Hopper"}, {"FirstName": "c"}]'),
        (
            "XML",
            "application/xml",
            f'<sObjects xmlns="{NAMESPACE}"><sObject/><sObject><LastName>Hopper</LastName></sObject><sObject/></sObjects>',
        ),
    ],
)
def test_job_groups_failed_records_by_reason(wire: Wire, content_type: str, media: str, body: str) -> None:
    job = wire.create("insert", "Contact", content_type)
    batches = [wire.run(job, body, media).id for _ in range(2)]
    row = page(wire, f"{HOME}/jobs/{job}").row("REQUIRED_FIELD_MISSING")
    assert row == {
        "Status code": "REQUIRED_FIELD_MISSING",
        "Message": "Required fields are missing: [LastName]",
        "Fields": "LastName",
        "Records": "4",
        "First": f"record 1 of {batches[0]}",
    }


def test_reasons_that_differ_in_an_id_are_one(wire: Wire) -> None:
    job = wire.create("update", "Contact")
    wire.run(job, "Id,LastName\n003000000000001AAA,a\n003000000000002AAA,b\n")
    table = [row for row in page(wire, f"{HOME}/jobs/{job}").rows if row[-1].startswith("record ")]
    assert [row[3] for row in table] == ["2"]


def test_job_tells_failed_batches_by_message(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    for _ in range(2):
        wire.run(job, "Shoe__c\n38\n")
    assert page(wire, f"{HOME}/jobs/{job}").row("InvalidBatch : Field name not found : Shoe__c")["Batches"] == "2"


def test_job_whose_batches_failed_is_red_in_the_list(wire: Wire) -> None:
    good, bad = wire.create("insert", "Contact"), wire.create("insert", "Contact")
    wire.run(good, "LastName\n\nx\n")
    for job, body in ((bad, "LastName\nx\n"), (bad, "Shoe__c\n38\n")):
        wire.run(job, body)
    for job in (good, bad):
        wire.state(job, "Closed")
    shown = page(wire)
    assert shown.row(good)["Batches"] == "1 / 1"
    assert shown.row(bad)["Batches"] == "2 / 2 1 failed"
    assert shown.row(bad)["State"] == "Closed"
    assert [value for name, value in shown.attributes if name == "class" and value.startswith("state ")] == [
        "state state-failed",
        "state state-closed",
    ]
    assert shown.attributes.count(("class", "bad")) == 1


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        (["Email", "nobody", "noone"], "INVALID_EMAIL_ADDRESS", "Email: invalid email address: …"),
        (["FirstName", "x" * 41, "y" * 50], "STRING_TOO_LONG", "First Name: data value too large: … (max length=40)"),
        (["Birthdate", "soon", "now"], "INVALID_TYPE_ON_FIELD_IN_RECORD", "Birthdate: value not of required type: …"),
        (["AccountId", "001-", "x"], "MALFORMED_ID", "Account ID: id value of incorrect type: …"),
    ],
)
def test_errors_that_differ_in_a_value_have_one_cause(wire: Wire, rows: list[str], code: str, message: str) -> None:
    job = wire.create("insert", "Contact")
    field, *values = rows
    wire.run(job, f"LastName,{field}\n" + "".join(f"x,{value}\n" for value in values))
    row = page(wire, f"{HOME}/jobs/{job}").row(code)
    assert (row["Message"], row["Records"], row["Fields"]) == (message, "2", field)


def test_batches_that_failed_for_one_cause_are_one(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    for body in ("LastName\nx\ny,z\n", "LastName\nx,y\n"):
        wire.run(job, body)
    row = page(wire, f"{HOME}/jobs/{job}").row(
        "InvalidBatch : Failed to parse CSV. Row … has … values, the header has 1"
    )
    assert row["Batches"] == "2"


def test_codes_may_wrap_and_ids_stay_whole_while_there_is_room(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    wire.run(job, "LastName,Email\nx,nobody\n")
    text = wire.ask("GET", f"{HOME}/jobs/{job}").text
    assert "INVALID_<wbr>EMAIL_<wbr>ADDRESS" in text
    assert f"<code>{job}</code>" in text


def test_batches_have_pages(wire: Wire) -> None:
    wire.org.set_pace(Pace.manual())
    job = wire.create("insert", "Contact")
    batches = [wire.add(job, "LastName\nx").id for _ in range(BATCHES_SHOWN + 1)]
    assert batches[-1] not in page(wire, f"{HOME}/jobs/{job}").words
    assert batches[-1] in page(wire, f"{HOME}/jobs/{job}?page=2").words


def test_batch_shows_request_and_result_and_gives_them_as_files(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    sent = 'LastName\n"Hopper\n& Co"\n'
    batch = wire.run(job, sent).id
    path = f"{HOME}/jobs/{job}/batches/{batch}"
    shown = page(wire, path)
    assert '"Hopper & Co"' in shown.text
    assert '"true","true",""' in shown.text
    files = [wire.ask("GET", link) for link in shown.links if link.startswith(f"{path}/")]
    assert [file.body for file in files] == [sent.encode(), wire.ask("GET", f"job/{job}/batch/{batch}/result").body]
    assert all(file.headers["content-disposition"].startswith("attachment") for file in files)


def test_query_batch_shows_its_results(wire: Wire) -> None:
    wire.org.insert("Account", [{"Name": "Acme"}])
    job = wire.create("query", "Account")
    batch = wire.run(job, "SELECT Name FROM Account").id
    shown = page(wire, f"{HOME}/jobs/{job}/batches/{batch}")
    assert "SELECT Name FROM Account" in shown.text
    assert '"Name" "Acme"' in shown.text


def test_large_body_is_cut_on_the_page_and_whole_as_a_file(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    sent = "LastName\n" + "é\n" * 40_000
    batch = wire.add(job, sent).id
    path = f"{HOME}/jobs/{job}/batches/{batch}"
    answer = wire.ask("GET", path)
    assert len(answer.body) < 60_000
    assert "�" not in answer.text
    assert "Only the beginning is shown" in Page(answer).text
    assert wire.ask("GET", f"{path}/request").text == sent


def test_markup_in_data_and_messages_is_text(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    good = wire.run(job, f"LastName,Email\nx,{MARKUP}\n").id
    wire.run(job, f"{MARKUP}\nx\n")
    for path in (f"{HOME}/jobs/{job}", f"{HOME}/jobs/{job}/batches/{good}", f"/?state={MARKUP}"):
        answer = wire.ask("GET", path)
        assert MARKUP not in answer.text
        assert Page(answer).tags.count("script") == 1  # the page's own
    assert MARKUP in page(wire, f"{HOME}/jobs/{job}").text


BREAKS_OUT = '"><script>alert(1)</script><a b=\'"'


def test_markup_in_any_place_is_text_and_every_answer_forbids_scripts_of_others(wire: Wire) -> None:
    """Values, headers, messages, queries, file contents, and whatever stands in the address of the page itself."""
    wire.org.mishaps.plan(Mishap(message=f"InvalidBatch : {BREAKS_OUT}"), nth=2)
    wire.org.mishaps.plan(Mishap(every=1, error=RowError(BREAKS_OUT, BREAKS_OUT, (BREAKS_OUT,))), nth=3)
    csv_value = BREAKS_OUT.replace('"', '""')
    job = wire.create("insert", "Account")
    batches = [wire.run(job, f'Name\n"{csv_value}"\n').id for _ in range(3)]
    query = wire.create("query", "Account")
    batches_of_query = [
        wire.run(query, text).id
        for text in (f"SELECT Id FROM Account WHERE Name = '{BREAKS_OUT[:-2]}'", "SELECT Name FROM Account")
    ]
    shown = [f"{HOME}/jobs/{job}", f"{HOME}/jobs/{query}", *(f"{HOME}/jobs/{job}/batches/{batch}" for batch in batches)]
    shown += [f"{HOME}/jobs/{query}/batches/{batch}" for batch in batches_of_query]
    odd = quote(BREAKS_OUT, safe="")
    shown += [
        f"/?state={odd}&object={odd}&open={odd}",
        f"{HOME}/jobs/{odd}",
        f"{HOME}/jobs/{job}?page={odd}",
        f"{HOME}/jobs/{job}/batches/{odd}",
        f"{HOME}/static/{odd}",
    ]
    shown += [f"{HOME}/jobs/{job}/batches/{batches[0]}/result/{odd}", f"{HOME}/{odd}"]
    files = [f"{HOME}/jobs/{job}/batches/{batches[0]}/{name}" for name in ("request", "result")]
    for path in [*shown, *files]:
        answer = wire.ask("GET", path)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path in files:
            assert (answer.type, answer.headers["content-disposition"][:10]) == (
                "application/octet-stream",
                "attachment",
            )
            continue
        assert "<script>" not in answer.text, path
        found = Page(answer)
        assert found.tags.count("script") == 1
        assert "b" not in {name for name, _ in found.attributes}
    assert "alert(1)" in page(wire, shown[0]).text  # it is shown, as text
    assert "alert(1)" in page(wire, shown[3]).text


def test_unknown_things_are_not_found(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    batch = wire.add(job, "LastName\nx").id
    for path in (
        "jobs/750000000000000AAA",
        f"jobs/{job}/batches/751000000000000AAA",
        f"jobs/{job}/batches/{batch}/result/752",
        "nothing",
    ):
        answer = wire.ask("GET", f"{HOME}/{path}")
        assert answer.status == 404
        assert "Not found" in Page(answer).text


def test_page_needs_no_session_and_lets_nothing_in_from_elsewhere(wire: Wire) -> None:
    wire.org.expire_sessions()
    answer = wire.ask("GET", "/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
    shown = Page(answer)
    assert not {"style", "onclick"} & {name for name, _ in shown.attributes}
    outside = [
        value for name, value in shown.attributes if name in {"src", "href"} and not value.startswith(("/", "#"))
    ]
    assert outside == []
    for path in (value for name, value in shown.attributes if name in {"src", "href"} and "/static/" in value):
        assert wire.ask("GET", path).status == 200


def test_page_is_neither_logged_nor_hit_by_faults(wire: Wire) -> None:
    wire.org.faults.add(Fault("status", status=503))
    assert wire.ask("GET", "/").status == 200
    assert wire.ask("GET", f"{HOME}/static/page.css").status == 200
    assert wire.org.requests == []
    assert wire.org.faults.struck == 0


def test_refreshes_without_scripts_only_while_something_may_come(wire: Wire) -> None:
    wire.org.set_pace(Pace.manual())
    job = wire.create("insert", "Contact")
    wire.add(job, "LastName\nx")
    wire.state(job, "Closed")
    path = f"{HOME}/jobs/{job}"
    assert ("http-equiv", "refresh") in page(wire, path).attributes
    wire.org.advance(2)
    assert ("http-equiv", "refresh") not in page(wire, path).attributes


def test_total_time_runs_until_the_job_has_ended(wire: Wire) -> None:
    wire.org.clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    job = wire.create("insert", "Contact")
    wire.org.clock.advance(seconds=3725)
    assert page(wire).row(job)["Total time"] == "01:02:05"
    wire.state(job, "Closed")
    wire.org.clock.advance(hours=1)
    assert page(wire).row(job)["Total time"] == "01:02:05"


def test_zipped_request_is_only_a_file(wire: Wire) -> None:
    job = wire.create("insert", "Attachment", "ZIP_CSV")
    batch = wire.add(job, b"PK\x03\x04 no archive", "zip/csv").id
    assert "A zip archive" in page(wire, f"{HOME}/jobs/{job}/batches/{batch}").text


def test_batch_that_was_put_back_says_how_often(wire: Wire) -> None:
    wire.org.mishaps.plan(Mishap(put_back=2))
    job = wire.create("insert", "Contact")
    batch = wire.run(job, "LastName\nx\n").id
    assert page(wire, f"{HOME}/jobs/{job}").row(batch)["Retries"] == "2"
    assert "Retries 2" in page(wire, f"{HOME}/jobs/{job}/batches/{batch}").text
